//! The functions of cuBLAS that `dfdx` calls, for programs that link this crate in its place.

use super::product::{Matrix, Number, Product};
use super::queue::{Work, DEFAULT};
use super::state::{with, Driver, Result};
use crate::check::Kind;

const SUCCESS: i32 = 0;
const INVALID_VALUE: i32 = 7;
const EXECUTION_FAILED: i32 = 13;
const NOT_SUPPORTED: i32 = 15;

/// The error of cuBLAS for what the driver says.
fn status(code: i32) -> i32 {
    match code {
        super::code::SUCCESS => SUCCESS,
        super::code::INVALID_VALUE | super::code::INVALID_HANDLE => INVALID_VALUE,
        _ => EXECUTION_FAILED,
    }
}

/// # Safety
/// `handle` is valid for writes.
#[no_mangle]
pub unsafe extern "C" fn cublasCreate_v2(handle: *mut usize) -> i32 {
    if handle.is_null() {
        return INVALID_VALUE;
    }
    status(with(|driver| {
        let made = driver.handle();
        driver.blas.insert(made, DEFAULT);
        // SAFETY: as promised.
        unsafe { *handle = made };
        Ok(())
    }))
}

#[no_mangle]
pub extern "C" fn cublasDestroy_v2(handle: usize) -> i32 {
    status(with(|driver| {
        driver.blas.remove(&handle).map(|_| ()).ok_or(super::code::INVALID_HANDLE)
    }))
}

#[no_mangle]
pub extern "C" fn cublasSetStream_v2(handle: usize, stream: usize) -> i32 {
    status(with(|driver| {
        let stream = driver.stream(stream)?;
        *driver.blas.get_mut(&handle).ok_or(super::code::INVALID_HANDLE)? = stream;
        Ok(())
    }))
}

fn queue<T: Number>(driver: &mut Driver, handle: usize, product: Product) -> Result<()> {
    let stream = *driver.blas.get(&handle).ok_or(super::code::INVALID_HANDLE)?;
    driver.healthy()?;
    if !product.valid() {
        let text = "negative sizes, or columns that are longer than their distance";
        return Err(driver.refuse(Kind::Invalid, T::NAME, text.into()));
    }
    let run = move |memory: &mut crate::machine::Memory| product.run::<T>(memory);
    driver.queue(stream, Work::Product(Box::new(run))).map(|_| ())
}

macro_rules! products {
    ($ty:ty, $one:ident, $batch:ident) => {
        /// # Safety
        /// `alpha` and `beta` are valid.
        #[no_mangle]
        #[allow(clippy::too_many_arguments)] // the signature of cuBLAS
        pub unsafe extern "C" fn $one(
            handle: usize,
            transpose_a: i32,
            transpose_b: i32,
            m: i32,
            n: i32,
            k: i32,
            alpha: *const $ty,
            a: u64,
            lead_a: i32,
            b: u64,
            lead_b: i32,
            beta: *const $ty,
            c: u64,
            lead_c: i32,
        ) -> i32 {
            // SAFETY: as promised.
            unsafe {
                $batch(
                    handle,
                    transpose_a,
                    transpose_b,
                    m,
                    n,
                    k,
                    alpha,
                    a,
                    lead_a,
                    0,
                    b,
                    lead_b,
                    0,
                    beta,
                    c,
                    lead_c,
                    0,
                    1,
                )
            }
        }

        /// # Safety
        /// `alpha` and `beta` are valid.
        #[no_mangle]
        #[allow(clippy::too_many_arguments)] // the signature of cuBLAS
        pub unsafe extern "C" fn $batch(
            handle: usize,
            transpose_a: i32,
            transpose_b: i32,
            m: i32,
            n: i32,
            k: i32,
            alpha: *const $ty,
            a: u64,
            lead_a: i32,
            next_a: i64,
            b: u64,
            lead_b: i32,
            next_b: i64,
            beta: *const $ty,
            c: u64,
            lead_c: i32,
            next_c: i64,
            count: i32,
        ) -> i32 {
            // SAFETY: as promised.
            let factors = unsafe { [f64::from(*alpha), f64::from(*beta)] };
            let (ta, tb) = (transpose_a != 0, transpose_b != 0);
            let product = Product {
                size: [m, n, k],
                factors,
                a: Matrix { base: a, lead: lead_a, next: next_a, transposed: ta },
                b: Matrix { base: b, lead: lead_b, next: next_b, transposed: tb },
                c: Matrix { base: c, lead: lead_c, next: next_c, transposed: false },
                count,
            };
            status(with(|driver| queue::<$ty>(driver, handle, product)))
        }
    };
}

products!(f32, cublasSgemm_v2, cublasSgemmStridedBatched);
products!(f64, cublasDgemm_v2, cublasDgemmStridedBatched);

macro_rules! unsupported {
    ($($name:ident)*) => {
        $(
            /// Always `CUBLAS_STATUS_NOT_SUPPORTED`; the arguments are not read.
            #[no_mangle]
            pub extern "C" fn $name() -> i32 {
                NOT_SUPPORTED
            }
        )*
    };
}

unsupported! {
    cublasHgemm cublasHgemmStridedBatched cublasGemmEx cublasGemmStridedBatchedEx
    cublasSgemv_v2 cublasDgemv_v2
}
