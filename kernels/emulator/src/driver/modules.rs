//! Modules: texts that are read, checked and made into programs.

use super::code;
use super::device::{put, CAPABILITY};
use super::state::{with, Driver, LoadedFunction, LoadedModule, Result};
use crate::check::Kind;
use crate::machine::lower;
use crate::ptx::{parse, Space};
use std::collections::HashMap;
use std::ffi::{c_char, c_void, CStr};
use std::sync::Arc;

/// The newest PTX that a driver of this version reads.
const NEWEST: (u32, u32) = (9, 0);

fn load(driver: &mut Driver, text: &str) -> Result<usize> {
    driver.healthy()?;
    let function = "cuModuleLoadData";
    let module =
        parse(text).map_err(|error| driver.refuse(Kind::Module, function, error.to_string()))?;
    if module.version > NEWEST {
        let (major, minor) = module.version;
        let text = format!("PTX {major}.{minor} is newer than the driver, which reads up to 9.0");
        driver.refuse(Kind::Module, function, text);
        return Err(code::UNSUPPORTED_PTX);
    }
    let target: String = module.target.chars().filter(char::is_ascii_digit).collect();
    let device = CAPABILITY.0 * 10 + CAPABILITY.1;
    if target.parse::<i32>().is_ok_and(|t| t > device) {
        let text = format!("target {} on a device of sm_{device}", module.target);
        driver.refuse(Kind::Module, function, text);
        return Err(code::INVALID_PTX);
    }
    let mut globals = HashMap::new();
    for variable in &module.vars {
        if matches!(variable.space, Space::Global | Space::Const) {
            let bytes = variable.bytes.unwrap_or(0);
            let base = driver.memory.place(bytes, format!("variable {}", variable.name));
            let mut init = variable.init.clone();
            init.resize(bytes, 0);
            // the buffer was made a line above with this size
            let _ = driver.memory.write(base, &init);
            globals.insert(variable.name.clone(), (base, bytes));
        }
    }
    let addresses = globals.iter().map(|(n, g)| (n.clone(), g.0)).collect();
    let lines: Arc<Vec<String>> = Arc::new(text.lines().map(str::to_string).collect());
    let handle = driver.handle();
    let mut functions = HashMap::new();
    for entry in module.functions.iter().filter(|f| f.entry) {
        let program = Arc::new(lower(&module, entry, &addresses, lines.clone()));
        let id = driver.handle();
        driver.functions.insert(id, LoadedFunction { program, allowed: 0, module: handle });
        functions.insert(entry.name.clone(), id);
    }
    driver.modules.insert(handle, LoadedModule { functions, globals });
    Ok(handle)
}

/// # Safety
/// `image` is a text that ends with a zero byte, or the start of a binary module.
#[no_mangle]
pub unsafe extern "C" fn cuModuleLoadData(module: *mut usize, image: *const c_void) -> i32 {
    let mut handle = 0;
    let code = with(|driver| {
        let function = "cuModuleLoadData";
        // SAFETY: every module has at least four bytes before its end.
        let head = unsafe { image.cast::<[u8; 4]>().read_unaligned() };
        if head == *b"\x7fELF" || head == 0xba55_ed50u32.to_le_bytes() {
            let text = "machine code cannot be emulated: load PTX".to_string();
            driver.refuse(Kind::Module, function, text);
            return Err(code::NO_BINARY);
        }
        // SAFETY: as promised.
        match unsafe { CStr::from_ptr(image.cast()) }.to_str() {
            Ok(text) => {
                handle = load(driver, text)?;
                Ok(())
            }
            Err(_) => {
                driver.refuse(Kind::Module, function, "the text is not UTF-8".into());
                Err(code::INVALID_IMAGE)
            }
        }
    });
    put!(module, handle);
    code
}

/// # Safety
/// As for [`cuModuleLoadData`]; options are not read.
#[no_mangle]
pub unsafe extern "C" fn cuModuleLoadDataEx(
    module: *mut usize,
    image: *const c_void,
    _count: u32,
    _options: *mut i32,
    _values: *mut *mut c_void,
) -> i32 {
    // SAFETY: as promised.
    unsafe { cuModuleLoadData(module, image) }
}

/// # Safety
/// `path` ends with a zero byte.
#[no_mangle]
pub unsafe extern "C" fn cuModuleLoad(module: *mut usize, path: *const c_char) -> i32 {
    let mut handle = 0;
    let code = with(|driver| {
        // SAFETY: as promised.
        let path = unsafe { CStr::from_ptr(path) }.to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).map_err(|_| code::FILE_NOT_FOUND)?;
        handle = load(driver, &text)?;
        Ok(())
    });
    put!(module, handle);
    code
}

#[no_mangle]
pub extern "C" fn cuModuleUnload(module: usize) -> i32 {
    with(|driver| {
        let found = driver.modules.remove(&module).ok_or(code::INVALID_HANDLE)?;
        // queued launches keep their program; its variables stay until they are done
        if driver.sticky == 0 {
            driver.run_all()?;
        }
        for (base, _) in found.globals.into_values() {
            // allocated when the module was loaded, freed only here
            let _ = driver.memory.free(base);
        }
        driver.functions.retain(|_, f| f.module != module);
        Ok(())
    })
}

/// # Safety
/// `function` is valid for writes, `name` ends with a zero byte.
#[no_mangle]
pub unsafe extern "C" fn cuModuleGetFunction(
    function: *mut usize,
    module: usize,
    name: *const c_char,
) -> i32 {
    let mut handle = 0;
    let code = with(|driver| {
        // SAFETY: as promised.
        let name = unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
        let found = driver.modules.get(&module).ok_or(code::INVALID_HANDLE)?;
        match found.functions.get(&name) {
            Some(id) => {
                handle = *id;
                Ok(())
            }
            None => {
                let text = format!("the module has no kernel '{name}'");
                driver.refuse(Kind::Module, "cuModuleGetFunction", text);
                Err(code::NOT_FOUND)
            }
        }
    });
    put!(function, handle);
    code
}

/// # Safety
/// `address` and `bytes` are valid for writes or null, `name` ends with a zero byte.
#[no_mangle]
pub unsafe extern "C" fn cuModuleGetGlobal_v2(
    address: *mut u64,
    bytes: *mut usize,
    module: usize,
    name: *const c_char,
) -> i32 {
    let mut found = (0, 0);
    let code = with(|driver| {
        // SAFETY: as promised.
        let name = unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
        let module = driver.modules.get(&module).ok_or(code::INVALID_HANDLE)?;
        found = *module.globals.get(&name).ok_or(code::NOT_FOUND)?;
        Ok(())
    });
    if !address.is_null() {
        put!(address, found.0);
    }
    if !bytes.is_null() {
        put!(bytes, found.1);
    }
    code
}
