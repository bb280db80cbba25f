//! Bugs of the host: what a driver refuses, what it does not notice, and what happens late.

use super::common::{shape, Gpu, Half, SMALL, SOFTMIN};
use brenier_emulator::{exclusive, Kind, Settings};
use cudarc::driver::sys::CUresult;
use cudarc::driver::{result, CudaContext, PushKernelArg};
use cudarc::nvrtc::Ptx;

#[test]
fn a_download_without_synchronise_has_no_data_yet() {
    let device = exclusive(Settings::default());
    let gpu = Gpu::new(SMALL).unwrap();
    let up = [1.0f32, 2.0, 3.0];
    let buffer = gpu.stream.clone_htod(&up).unwrap();
    let early = gpu.stream.clone_dtoh(&buffer).unwrap();
    assert!(early.iter().all(|v| v.is_nan()));
    gpu.stream.synchronize().unwrap();
    // the volatile read keeps the compiler from assuming what was read before
    let late: Vec<f32> =
        // SAFETY: `early` is alive and initialised.
        (0..3).map(|i| unsafe { std::ptr::read_volatile(early.as_ptr().add(i)) }).collect();
    assert_eq!(late, up);
    device.configure(&Settings { copies_wait: true, ..Settings::default() });
    assert_eq!(gpu.stream.clone_dtoh(&buffer).unwrap(), up);
}

#[test]
fn a_fault_comes_with_the_synchronise_and_stays() {
    let device = exclusive(Settings::default());
    let gpu = Gpu::new(SOFTMIN).unwrap();
    let half = Half::new(100, 50, 1.0);
    let error = half.rows(&gpu, "rows_store").unwrap_err();
    assert_eq!(error.0, CUresult::CUDA_ERROR_ILLEGAL_ADDRESS);
    let again = half.rows(&gpu, "rows_right").unwrap_err();
    assert_eq!(again.0, CUresult::CUDA_ERROR_ILLEGAL_ADDRESS);
    device.reset();
    assert!(half.rows(&gpu, "rows_right").is_ok());
    assert_eq!(device.take_reports().len(), 1);
}

#[test]
fn bad_frees_are_named() {
    let device = exclusive(Settings::default());
    let gpu = Gpu::new(SMALL).unwrap();
    // SAFETY: the emulated driver answers for what a real one would not survive.
    unsafe {
        let pointer = result::malloc_sync(16).unwrap();
        result::free_sync(pointer).unwrap();
        result::free_sync(pointer).unwrap_err();
        assert!(device.caught(Kind::BadFree));
        let pointer = result::malloc_sync(16).unwrap();
        result::free_sync(pointer + 4).unwrap_err();
        assert!(device.caught(Kind::BadFree));
        result::free_sync(pointer).unwrap();
    }
    let _ = gpu;
}

#[test]
fn writes_after_a_free_are_named() {
    let device = exclusive(Settings::default());
    let gpu = Gpu::new(SMALL).unwrap();
    let kernel = gpu.module.load_function("walk").unwrap();
    let buffer = gpu.stream.alloc_zeros::<f32>(8).unwrap();
    let pointer = {
        use cudarc::driver::DevicePtr;
        buffer.device_ptr(&gpu.stream).0
    };
    drop(buffer);
    let (n, step) = (8, 1);
    let mut launch = gpu.stream.launch_builder(&kernel);
    launch.arg(&pointer).arg(&n).arg(&step);
    // SAFETY: the pointer is stale, which is what is tested.
    unsafe { launch.launch(shape([1, 1], 1, 0)) }.unwrap();
    assert_eq!(gpu.stream.synchronize().unwrap_err().0, CUresult::CUDA_ERROR_ILLEGAL_ADDRESS);
    assert!(device.caught(Kind::UseAfterFree));
    device.reset();
    // and a copy from the host
    // SAFETY: as above.
    unsafe { result::memcpy_htod_sync(pointer, &[1u8; 8]) }.unwrap_err();
    assert!(device.caught(Kind::UseAfterFree));
}

#[test]
fn copies_have_to_stay_inside() {
    let device = exclusive(Settings::default());
    let _gpu = Gpu::new(SMALL).unwrap();
    // SAFETY: the emulated driver checks the range.
    unsafe {
        let pointer = result::malloc_sync(16).unwrap();
        result::memcpy_htod_sync(pointer + 8, &[0u8; 9]).unwrap_err();
        assert!(device.caught(Kind::OutOfBounds));
        device.reset();
        let mut out = [0u8; 16];
        result::memcpy_dtoh_sync(&mut out, pointer).unwrap_err();
        assert!(device.caught(Kind::Uninitialised));
        device.reset();
        result::free_sync(pointer).unwrap();
    }
}

/// Two streams without an event between them: the second reads what the first has not yet written.
#[test]
fn a_missing_wait_between_streams_shows() {
    let device = exclusive(Settings::default());
    let gpu = Gpu::new(SMALL).unwrap();
    let kernel = gpu.module.load_function("copy_four").unwrap();
    for wait in [true, false] {
        let (first, second) =
            (gpu.context.new_stream().unwrap(), gpu.context.new_stream().unwrap());
        // SAFETY: this test orders the streams by itself, or does not, which is what is tested.
        unsafe { gpu.context.disable_event_tracking() };
        let from = first.clone_htod(&[1.0f32; 128]).unwrap();
        let mut to = second.alloc_zeros::<f32>(128).unwrap();
        if wait {
            second.join(&first).unwrap();
        }
        let offset = 0;
        let mut launch = second.launch_builder(&kernel);
        launch.arg(&from).arg(&mut to).arg(&offset);
        // SAFETY: the arguments are those of the kernel.
        unsafe { launch.launch(shape([1, 1], 32, 0)) }.unwrap();
        let found = second.clone_dtoh(&to).unwrap();
        if wait {
            second.synchronize().unwrap();
            assert_eq!(found, [1.0; 128]);
        } else {
            second.synchronize().unwrap_err();
            assert!(device.caught(Kind::Uninitialised));
            device.reset();
        }
        // SAFETY: nothing is shared between streams from here on.
        unsafe { gpu.context.enable_event_tracking() };
    }
}

/// Pinned memory is read when the copy happens: a host that changes it too early sends the change.
#[test]
fn pinned_memory_is_read_late() {
    let _device = exclusive(Settings::default());
    let gpu = Gpu::new(SMALL).unwrap();
    // SAFETY: written before it is read; the pointer is freed once, at the end.
    unsafe {
        let pinned = result::malloc_host(8, 0).unwrap().cast::<u8>();
        let device_pointer = result::malloc_sync(8).unwrap();
        std::ptr::write_bytes(pinned, 1, 8);
        let source = std::slice::from_raw_parts(pinned, 8);
        result::memcpy_htod_async(device_pointer, source, gpu.stream.cu_stream()).unwrap();
        std::ptr::write_bytes(pinned, 2, 8);
        let mut back = [0u8; 8];
        result::memcpy_dtoh_sync(&mut back, device_pointer).unwrap();
        assert_eq!(back, [2; 8]);
        result::free_sync(device_pointer).unwrap();
        result::free_host(pinned.cast()).unwrap();
    }
}

#[test]
fn launches_that_a_driver_refuses() {
    let device = exclusive(Settings::default());
    let gpu = Gpu::new(SOFTMIN).unwrap();
    let kernel = gpu.module.load_function("merge_right").unwrap();
    let bounded = gpu.module.load_function("rows_right").unwrap();
    for (kernel, config, code) in [
        (&kernel, shape([1, 1], 2048, 0), CUresult::CUDA_ERROR_INVALID_VALUE),
        (&kernel, shape([1, 1], 0, 0), CUresult::CUDA_ERROR_INVALID_VALUE),
        (&kernel, shape([1, 70_000], 32, 0), CUresult::CUDA_ERROR_INVALID_VALUE),
        (&kernel, shape([1, 1], 32, 50_000), CUresult::CUDA_ERROR_INVALID_VALUE),
        // its launch bound is 128
        (&bounded, shape([1, 1], 256, 0), CUresult::CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES),
    ] {
        let buffer = gpu.stream.alloc_zeros::<f32>(8).unwrap();
        let zero = 0i32;
        let mut launch = gpu.stream.launch_builder(kernel);
        launch.arg(&buffer).arg(&buffer).arg(&buffer).arg(&buffer).arg(&zero).arg(&zero).arg(&zero);
        // SAFETY: no kernel runs.
        assert_eq!(unsafe { launch.launch(config) }.unwrap_err().0, code);
        assert!(device.caught(Kind::Invalid));
    }
    // more shared memory can be asked for
    use cudarc::driver::sys::CUfunction_attribute_enum as Attribute;
    let most = Attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
    kernel.set_attribute(most, 50_000).unwrap();
    kernel.set_attribute(most, 300_000).unwrap_err();
    assert!(device.caught(Kind::Invalid));
}

#[test]
fn modules_that_a_driver_refuses() {
    let device = exclusive(Settings::default());
    let context = CudaContext::new(0).unwrap();
    let load = |text: &str| context.load_module(Ptx::from_src(text)).map_err(|e| e.0);
    for (text, code) in [
        ("no PTX", CUresult::CUDA_ERROR_INVALID_PTX),
        (".version 9.5\n.target sm_70\n", CUresult::CUDA_ERROR_UNSUPPORTED_PTX_VERSION),
        (".version 8.1\n.target sm_120\n", CUresult::CUDA_ERROR_INVALID_PTX),
        (
            ".version 8.1\n.target sm_70\n.entry f(.param .u64 a) { add.u32 %r1 }",
            CUresult::CUDA_ERROR_INVALID_PTX,
        ),
    ] {
        assert_eq!(load(text).err(), Some(code), "{text}");
        assert!(device.caught(Kind::Module));
    }
    let module =
        load(".version 8.1\n.target sm_70\n.entry f() { wgmma.fence.sync.aligned; ret; }").unwrap();
    assert!(module.load_function("g").is_err());
    assert!(device.caught(Kind::Module));
    // an instruction that is not known fails when it is executed, by its text
    let kernel = module.load_function("f").unwrap();
    let stream = context.default_stream();
    // SAFETY: the kernel takes nothing.
    unsafe { stream.launch_builder(&kernel).launch(shape([1, 1], 1, 0)) }.unwrap();
    assert_eq!(stream.synchronize().unwrap_err().0, CUresult::CUDA_ERROR_ILLEGAL_INSTRUCTION);
    let report = device.take_reports().remove(0);
    assert_eq!((report.kind, report.line), (Kind::Unsupported, 3));
    assert!(report.message.contains("wgmma"));
    device.reset();
}
