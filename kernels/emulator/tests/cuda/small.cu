// Small kernels, right and wrong, for what the half step does not touch.
#define INFINITY __int_as_float(0x7f800000)

// Counts in shared memory, then in device memory.
template <int BUG>
__device__ __forceinline__ void histogram(const int *bin, int *count, int n)
{
    __shared__ int local[8];
    if (threadIdx.x < 8)
        local[threadIdx.x] = 0;
    __syncthreads();
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        if (BUG == 1)
            local[bin[i]] += 1;
        else
            atomicAdd(&local[bin[i]], 1);
    }
    __syncthreads();
    if (threadIdx.x < 8) {
        if (BUG == 2)
            count[threadIdx.x] += local[threadIdx.x];
        else
            atomicAdd(&count[threadIdx.x], local[threadIdx.x]);
    }
}

extern "C" __global__ void histogram_right(const int *bin, int *count, int n)
{
    histogram<0>(bin, count, n);
}
extern "C" __global__ void histogram_plain_shared(const int *bin, int *count, int n)
{
    histogram<1>(bin, count, n);
}
extern "C" __global__ void histogram_plain_global(const int *bin, int *count, int n)
{
    histogram<2>(bin, count, n);
}

// The sum in whatever order the blocks come: right up to rounding, different from run to run.
extern "C" __global__ void sum_atomic(const float *a, float *sum, int n)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        atomicAdd(sum, a[i]);
}

// Copies four at a time; `from` has to be aligned.
extern "C" __global__ void copy_four(const float *from, float *to, int offset)
{
    const float4 v = *reinterpret_cast<const float4 *>(from + offset + 4 * threadIdx.x);
    reinterpret_cast<float4 *>(to)[threadIdx.x] = v;
}

// Needs `step` > 0.
extern "C" __global__ void walk(float *a, int n, int step)
{
    int i = 0;
    while (i < n) {
        a[i] = 1.f;
        i += step;
    }
}

// The index does not fit 32 bits when it is multiplied out.
extern "C" __global__ void square(float *a, int row, int columns)
{
    a[row * columns + threadIdx.x] = 1.f;
}

// Right only if 2^log2 x == x, which approximate functions do not promise.
extern "C" __global__ void exact(const float *a, int *equal)
{
    float y, z;
    asm("lg2.approx.f32 %0, %1;" : "=f"(y) : "f"(a[threadIdx.x]));
    asm("ex2.approx.f32 %0, %1;" : "=f"(z) : "f"(y));
    equal[threadIdx.x] = __float2int_rn(z) == __float2int_rn(a[threadIdx.x]);
    if (z == a[threadIdx.x])
        equal[threadIdx.x] = 2;
}

// A block-wide maximum in which the warps meet in shared memory. Form 1 forgets that a last warp may
// have fewer lanes, form 2 lets one warp read before the others have written, form 3 names lanes in the
// mask that went another way.
template <int BUG>
__device__ __forceinline__ void largest(const float *a, float *most, int n)
{
    __shared__ float tops[32];
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    float top = threadIdx.x < n ? a[threadIdx.x] : -INFINITY;
    if (BUG == 3 && threadIdx.x >= n) {
        top = -1.f;
    } else {
#pragma unroll
        for (int o = 16; o > 0; o >>= 1)
            top = fmaxf(top, __shfl_down_sync(0xffffffffu, top, o));
    }
    if (lane == 0)
        tops[warp] = top;
    if (BUG != 2)
        __syncthreads();
    if (warp == 0) {
        const int warps = (blockDim.x + 31) / 32;
        top = lane < (BUG == 1 ? warps + 1 : warps) ? tops[lane] : -INFINITY;
#pragma unroll
        for (int o = 16; o > 0; o >>= 1)
            top = fmaxf(top, __shfl_down_sync(0xffffffffu, top, o));
        if (lane == 0)
            *most = top;
    }
}

extern "C" __global__ void largest_right(const float *a, float *most, int n)
{
    largest<0>(a, most, n);
}
extern "C" __global__ void largest_one_more(const float *a, float *most, int n)
{
    largest<1>(a, most, n);
}
extern "C" __global__ void largest_no_barrier(const float *a, float *most, int n)
{
    largest<2>(a, most, n);
}
extern "C" __global__ void largest_other_way(const float *a, float *most, int n)
{
    largest<3>(a, most, n);
}

// One block hands its result to another through memory, within a launch.
extern "C" __global__ void hand_over(float *a)
{
    if (blockIdx.x == 0)
        a[threadIdx.x] = 1.f;
    else
        a[32 + threadIdx.x] = a[threadIdx.x];
}

// Neighbouring bytes are written by neighbouring threads, which is no race.
extern "C" __global__ void bytes(unsigned char *a, int n)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        a[i] = i;
}

// A buffer of each thread, indexed by data.
extern "C" __global__ void local_array(const int *index, int *out, int bug)
{
    int slots[8];
    for (int i = 0; i < 8 - bug; ++i)
        slots[i] = i * i;
    out[threadIdx.x] = slots[index[threadIdx.x]];
}

extern "C" __global__ void assertion(const int *a)
{
    if (a[threadIdx.x] < 0)
        __trap();
}
