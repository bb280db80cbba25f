//! Functions that `cudarc` names and this device does not have.

macro_rules! unsupported {
    ($($name:ident)*) => {
        $(
            /// Always `CUDA_ERROR_NOT_SUPPORTED`; the arguments are not read.
            #[no_mangle]
            pub extern "C" fn $name() -> i32 {
                super::code::NOT_SUPPORTED
            }
        )*
    };
}

unsupported! {
    cuCtxCreate_v3 cuCtxCreate_v4 cuCtxDestroy_v2 cuCtxGetLimit cuCtxGetCacheConfig
    cuDeviceGetDefaultMemPool cuDeviceGetMemPool cuDeviceSetMemPool
    cuMemPoolCreate cuMemPoolDestroy cuMemPoolTrimTo cuMemPoolGetAttribute cuMemPoolSetAttribute
    cuMemAllocFromPoolAsync cuMemAllocManaged cuMemAdvise_v2 cuMemPrefetchAsync_v2
    cuMemcpyPeerAsync cuStreamAttachMemAsync
    cuStreamBeginCapture_v2 cuStreamEndCapture cuStreamIsCapturing
    cuGraphInstantiateWithFlags cuGraphExecDestroy cuGraphDestroy cuGraphLaunch cuGraphUpload
    cuLaunchCooperativeKernel
    cuImportExternalMemory cuDestroyExternalMemory cuExternalMemoryGetMappedBuffer
    cuOccupancyAvailableDynamicSMemPerBlock cuOccupancyMaxActiveClusters
    cuOccupancyMaxPotentialBlockSize cuOccupancyMaxPotentialBlockSizeWithFlags
    cuOccupancyMaxPotentialClusterSize
}
