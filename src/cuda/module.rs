//! Modules: embedded, or compiled for the device.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::{CudaContext, CudaModule};
use cudarc::nvrtc::Ptx;

use super::buffer::DeviceReal;
use super::device::{driver, CudaOptions, Specialise};
use super::embedded::EMBEDDED;
use super::launch::Kernel;
use super::nvrtc;
use super::signature::parameters;
use crate::error::{Error, Result};

/// The loaded modules and kernels of a device.
pub(super) struct Modules {
    context: Arc<CudaContext>,
    capability: (u32, u32),
    specialise: Specialise,
    cache: Option<PathBuf>,
    modules: Mutex<HashMap<String, Arc<CudaModule>>>,
    kernels: Mutex<HashMap<(String, &'static str), Arc<Kernel>>>,
}

impl Modules {
    pub(super) fn new(
        context: Arc<CudaContext>,
        options: &CudaOptions,
        capability: (u32, u32),
    ) -> Self {
        let CudaOptions { specialise, cache, .. } = options.clone();
        let (modules, kernels) = Default::default();
        Self { context, capability, specialise, cache, modules, kernels }
    }

    /// Entry `entry` of `kernels/{op}.cu` for this form and number type.
    pub(super) fn kernel<E: DeviceReal>(
        &self,
        op: &str,
        form: Option<&str>,
        entry: &'static str,
    ) -> Result<Arc<Kernel>> {
        let name = module_name::<E>(op, form);
        self.load(&name, &name, entry, 0, |ptx| self.embedded(&name, ptx))
    }

    /// The half step for `d` coordinates: compiled for them at run time, else embedded for them, else
    /// for any number.
    pub(super) fn softmin<E: DeviceReal>(&self, form: &str, d: usize) -> Result<Arc<Kernel>> {
        const ENTRY: &str = "softmin";
        let general = module_name::<E>(ENTRY, Some(form));
        let special = format!("{general}-d{d}");
        if let Some(kernel) = self.loaded(&special, ENTRY) {
            return Ok(kernel);
        }
        if self.specialise == Specialise::Auto && E::BITS == 32 && form != "stored" {
            if let Some(module) = self.compiled::<E>(form, d) {
                return self.load(&general, &special, ENTRY, d, |_| Ok(module));
            }
        }
        if find(&special).is_some() {
            return self.load(&general, &special, ENTRY, d, |ptx| self.embedded(&special, ptx));
        }
        let kernel = self.kernel::<E>(ENTRY, Some(form), ENTRY)?;
        // What could not be compiled once is not tried again.
        let mut kernels = self.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        kernels.insert((special, ENTRY), kernel.clone());
        Ok(kernel)
    }

    fn loaded(&self, name: &str, entry: &'static str) -> Option<Arc<Kernel>> {
        let kernels = self.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        kernels.get(&(name.to_string(), entry)).cloned()
    }

    /// A kernel whose parameters are those of the embedded module `signature`.
    fn load(
        &self,
        signature: &str,
        name: &str,
        entry: &'static str,
        dimension: usize,
        module: impl FnOnce(&'static str) -> Result<Arc<CudaModule>>,
    ) -> Result<Arc<Kernel>> {
        if let Some(kernel) = self.loaded(name, entry) {
            return Ok(kernel);
        }
        let missing = || Error::device(format!("load {entry} of {signature}"), "not embedded");
        let ptx = find(signature).ok_or_else(missing)?;
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        let module = match modules.get(name) {
            Some(module) => module.clone(),
            None => module(find(name).unwrap_or(ptx))?,
        };
        modules.insert(name.to_string(), module.clone());
        let function = module.load_function(entry).map_err(driver(format!("find {entry}")))?;
        let parameters = parameters(ptx, entry)?;
        let kernel = Kernel { name: format!("{entry} of {name}"), function, parameters, dimension };
        let kernel = Arc::new(kernel);
        let mut kernels = self.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        kernels.insert((name.to_string(), entry), kernel.clone());
        Ok(kernel)
    }

    fn embedded(&self, name: &str, ptx: &'static str) -> Result<Arc<CudaModule>> {
        let load = self.context.load_module(Ptx::from_src(ptx));
        load.map_err(driver(format!("load the kernels {name}")))
    }

    /// The half step compiled here; `None` where that does not work, for whatever reason.
    fn compiled<E: DeviceReal>(&self, form: &str, d: usize) -> Option<Arc<CudaModule>> {
        let (major, minor) = self.capability;
        let options = [
            format!("-arch=sm_{major}{minor}"),
            format!("-DPRECISION={}", E::BITS),
            format!("-DFORM={}", form.to_uppercase()),
            format!("-DDIM={d}"),
        ];
        let binary = nvrtc::compile("softmin.cu", &options, self.cache.as_deref())?;
        self.context.load_module(Ptx::from_binary(binary)).ok()
    }
}

fn module_name<E: DeviceReal>(op: &str, form: Option<&str>) -> String {
    let form = form.map_or(String::new(), |form| format!("-{form}"));
    format!("{op}{form}-f{}", E::BITS)
}

fn find(name: &str) -> Option<&'static str> {
    let at = EMBEDDED.binary_search_by(|(module, _)| module.cmp(&name)).ok()?;
    Some(EMBEDDED[at].1)
}
