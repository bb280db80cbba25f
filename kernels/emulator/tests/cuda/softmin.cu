// options: --use_fast_math
// The online half step of Sinkhorn, f_i = -log2 sum_j 2^(h_j - s |x_i - y_j|^2), in three forms, each right
// once and wrong in many ways: the number of the template says how.
#define INFINITY __int_as_float(0x7f800000)
#define D 2
#define TILE 64
#define ROWS 128

// One thread a row, tiles of columns in shared memory.
template <int BUG>
__device__ __forceinline__ void rows(
    const float *__restrict__ x, const float *__restrict__ y, const float *__restrict__ h,
    float *__restrict__ f, int n, int m, float s)
{
    __shared__ float ys[TILE * D];
    __shared__ float hs[TILE];
    const int i = blockIdx.x * ROWS + threadIdx.x;
    if (BUG == 6 && i >= n)
        return;
    float xr[D];
#pragma unroll
    for (int k = 0; k < D; ++k)
        xr[k] = i < n || BUG == 4 ? x[i * D + k] : 0.f;
    float most = BUG == 10 ? 0.f : -1e30f;
    float sum = 0.f;
#pragma unroll 1
    for (int j0 = 0; j0 < m; j0 += TILE) {
        const int width = min(TILE, m - j0);
        if (BUG == 7 && (threadIdx.x & 32)) {
            __syncthreads();
            hs[threadIdx.x & 31] = 0.f;
        }
        if (BUG != 1)
            __syncthreads();
#pragma unroll 1
        for (int t = threadIdx.x; t < TILE * D; t += ROWS) {
            if (BUG == 3 || t < width * D)
                ys[t] = y[j0 * D + t];
            else if (BUG != 8)
                ys[t] = 0.f;
        }
#pragma unroll 1
        for (int t = threadIdx.x; t < TILE; t += ROWS) {
            if (t < width)
                hs[t] = h[j0 + t];
            else if (BUG != 8)
                hs[t] = -INFINITY;
        }
        if (BUG != 2)
            __syncthreads();
#pragma unroll 1
        for (int c = 0; c < TILE; c += 4) {
            float z[4];
            float top = most;
#pragma unroll
            for (int q = 0; q < 4; ++q) {
                float cost = 0.f;
#pragma unroll
                for (int k = 0; k < D; ++k) {
                    const float gap = xr[k] - ys[(c + q) * D + k];
                    cost = fmaf(gap, gap, cost);
                }
                z[q] = fmaf(-s, cost, hs[c + q]);
                top = fmaxf(top, z[q]);
            }
            sum *= BUG == 20 ? 1.f : exp2f(most - top);
#pragma unroll
            for (int q = 0; q < 4; ++q)
                sum += exp2f(z[q] - top);
            most = top;
        }
    }
    if (BUG == 9)
        f[threadIdx.x] = -(most + log2f(sum));
    else if (BUG == 11 ? i < n && i % 2 == 0 : i < n || BUG == 5)
        f[i] = -(most + log2f(sum));
}

#define ROWS_KERNEL(name, bug)                                                                       \
    extern "C" __global__ void __launch_bounds__(ROWS)                                               \
        name(const float *x, const float *y, const float *h, float *f, int n, int m, float s)        \
    {                                                                                                \
        rows<bug>(x, y, h, f, n, m, s);                                                              \
    }

ROWS_KERNEL(rows_right, 0)
ROWS_KERNEL(rows_overwritten, 1)
ROWS_KERNEL(rows_unfilled, 2)
ROWS_KERNEL(rows_last_tile, 3)
ROWS_KERNEL(rows_load, 4)
ROWS_KERNEL(rows_store, 5)
ROWS_KERNEL(rows_return, 6)
ROWS_KERNEL(rows_divided, 7)
ROWS_KERNEL(rows_stale, 8)
ROWS_KERNEL(rows_same, 9)
ROWS_KERNEL(rows_from_zero, 10)
ROWS_KERNEL(rows_odd, 11)
ROWS_KERNEL(rows_no_rescale, 20)

// One warp a row: lanes take every 32nd column and join by shuffles. With `part`, the columns are split
// over blockIdx.y, and what a part found goes to memory for `merge`.
template <int BUG>
__device__ __forceinline__ void warps(
    const float *__restrict__ x, const float *__restrict__ y, const float *__restrict__ h,
    float *__restrict__ f, int n, int m, float s, float2 *part)
{
    extern __shared__ float xs[];
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    const int i = blockIdx.x * 4 + warp;
    if (lane < D)
        xs[warp * D + lane] = i < n ? x[i * D + lane] : 0.f;
    if (BUG != 16)
        __syncwarp();
    const int each = (m + gridDim.y - 1) / gridDim.y;
    const int from = blockIdx.y * each, to = min(m, from + each + (BUG == 21 ? 1 : 0));
    float most = -1e30f, sum = 0.f;
#pragma unroll 1
    for (int j = from + lane; j < to; j += 32) {
        float cost = 0.f;
#pragma unroll
        for (int k = 0; k < D; ++k) {
            const float gap = xs[warp * D + k] - y[j * D + k];
            cost = fmaf(gap, gap, cost);
        }
        const float z = fmaf(-s, cost, h[j]);
        const float top = fmaxf(most, z);
        sum = sum * exp2f(most - top) + exp2f(z - top);
        most = top;
    }
    // in form 14 the lanes without a column stay away from the shuffle
    if (BUG == 12 ? lane < 16 : BUG == 14 ? from + lane < to : true)
#pragma unroll 1
        for (int o = BUG == 12 ? 8 : 16; o > (BUG == 13 ? 1 : 0); o >>= 1) {
            const float other = __shfl_xor_sync(0xffffffffu, most, o);
            const float theirs = __shfl_xor_sync(0xffffffffu, sum, o);
            const float top = fmaxf(most, other);
            sum = sum * exp2f(most - top) + theirs * exp2f(other - top);
            most = top;
        }
    if (lane == 0 && i < n) {
        if (part)
            part[blockIdx.y * n + i] = make_float2(most, sum);
        else
            f[i] = -(most + log2f(sum));
    }
}

#define WARPS_KERNEL(name, bug)                                                                      \
    extern "C" __global__ void __launch_bounds__(128)                                                \
        name(const float *x, const float *y, const float *h, float *f, int n, int m, float s,        \
             float2 *part)                                                                           \
    {                                                                                                \
        warps<bug>(x, y, h, f, n, m, s, part);                                                       \
    }

WARPS_KERNEL(warps_right, 0)
WARPS_KERNEL(warps_half_shuffle, 12)
WARPS_KERNEL(warps_early, 13)
WARPS_KERNEL(warps_skipped_lane, 14)
WARPS_KERNEL(warps_unordered, 16)
WARPS_KERNEL(warps_overlap, 21)

// Joins the parts of a split.
template <int BUG>
__device__ __forceinline__ void join(const float2 *part, float *f, int n, int parts)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    float most = -1e30f, sum = 0.f;
    const int from = BUG == 19 ? 1 : 0;
    const int to = BUG == 17 ? parts - 1 : BUG == 18 ? parts + 1 : parts;
#pragma unroll 1
    for (int p = from; p < to; ++p) {
        const float2 found = part[p * n + i];
        const float top = fmaxf(most, found.x);
        sum = sum * exp2f(most - top) + found.y * exp2f(found.x - top);
        most = top;
    }
    f[i] = -(most + log2f(sum));
}

#define MERGE_KERNEL(name, bug)                                                                      \
    extern "C" __global__ void name(const float2 *part, float *f, int n, int parts)                  \
    {                                                                                                \
        join<bug>(part, f, n, parts);                                                                \
    }

MERGE_KERNEL(merge_right, 0)
MERGE_KERNEL(merge_one_less, 17)
MERGE_KERNEL(merge_one_more, 18)
MERGE_KERNEL(merge_not_first, 19)
