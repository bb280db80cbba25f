// The half step of softmin.cu on tensor cores, for up to 64 coordinates: squared distances and products.
//
// An inner product is a sum of three TF32 products: x = x1 + x2 with x1 the rounding of x to TF32 and x2
// that of the rest, and <x, y> = <x1, y1> + <x1, y2> + <x2, y1> up to 2^-22 |x||y|. With points x', y'
// relative to a centre, |x - y|^2 = |x'|^2 + |y'|^2 - 2 <x', y'>: rounding is that of f32 products, not
// of differences. Needs compute capability 8.0.
//
// A warp has 16 rows, with their coordinates in registers, and 64 columns at a time, which pass through
// shared memory already split. Fragments are those of mma.m16n8k8: a thread has rows `group` and
// `group + 8`, and of each 8 columns two.
#include "cost.cuh"

#define THREADS 128
#define COLUMNS 64
#define MOST 64
#define CHUNKS (MOST / 8)

INLINE unsigned to_tf32(float x) {
    unsigned y;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(y) : "f"(x));
    return y;
}

struct Split {
    unsigned first, rest;
};

INLINE Split split(float x) {
    const unsigned first = to_tf32(x);
    return Split{first, to_tf32(x - __uint_as_float(first))};
}

INLINE void multiply(float (&sum)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// A coordinate relative to the centre of the problem; 0 past the last.
INLINE float coordinate(const float* points, int i, int k, int d, const float* centre) {
    if (k >= d) return 0;
    const float v = points[(long long)i * d + k];
#if FORM == SQUARE
    return v - centre[k];
#else
    return v;
#endif
}

extern "C" __global__ void __launch_bounds__(THREADS, 2)
softmin_tensor(const int* __restrict__ tasks, const float* __restrict__ x, const float* __restrict__ y,
               int d, const float* __restrict__ centres, const float* __restrict__ h,
               const float* __restrict__ sides, float* __restrict__ tops, float* __restrict__ sums,
               int rows) {
    // Of column n and coordinates k and k + 4 of a chunk, first and rest of both.
    __shared__ __align__(16) unsigned split_y[CHUNKS][COLUMNS][4][4];
    __shared__ float heights[COLUMNS];
    const Task task = read_task(tasks);
    const float scale = read_side(sides, task.problem).scale;
    const float* centre = centres + (long long)task.problem * d;
    const int lane = threadIdx.x % 32, group = lane / 4, within = lane % 4;
    const int first_row = task.row + (int)threadIdx.x / 32 * 16 + group;
    float own[CHUNKS][4], squares[2] = {0, 0};
#pragma unroll
    for (int c = 0; c < CHUNKS; ++c)
#pragma unroll
        for (int e = 0; e < 4; ++e) {
            const int i = min(first_row + e % 2 * 8, task.row_end - 1);
            own[c][e] = coordinate(x, i, 8 * c + within + e / 2 * 4, d, centre);
            squares[e % 2] = fmaf(own[c][e], own[c][e], squares[e % 2]);
        }
    Lse lse[2] = {nothing(), nothing()};
    for (int j0 = task.column; j0 < task.column_end; j0 += COLUMNS) {
        __syncthreads();
#pragma unroll
        for (int q = (int)threadIdx.x / 32; q < COLUMNS / 8; q += THREADS / 32) {
            const int n = 8 * q + group, j = min(j0 + n, task.column_end - 1);
            float square = 0;
#pragma unroll 2
            for (int c = 0; 8 * c < d; ++c) {
                const float u = coordinate(y, j, 8 * c + within, d, centre);
                const float v = coordinate(y, j, 8 * c + within + 4, d, centre);
                square = fmaf(u, u, fmaf(v, v, square));
                const Split s = split(u), t = split(v);
                *reinterpret_cast<uint4*>(split_y[c][n][within]) = make_uint4(s.first, s.rest, t.first, t.rest);
            }
            square += __shfl_xor_sync(ALL_LANES, square, 1);
            square += __shfl_xor_sync(ALL_LANES, square, 2);
            if (within == 0) {
#if FORM == SQUARE
                const float height = fmaf(-scale, square, h[j]);
#else
                const float height = h[j];
#endif
                heights[n] = j0 + n < task.column_end ? height : NOTHING;
            }
        }
        __syncthreads();
        float products[COLUMNS / 8][4] = {};
#pragma unroll
        for (int c = 0; c < CHUNKS; ++c) {
            if (8 * c >= d) break;
            unsigned a[4], rest[4];
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                const Split s = split(own[c][e]);
                a[e] = s.first;
                rest[e] = s.rest;
            }
#pragma unroll
            for (int q = 0; q < COLUMNS / 8; ++q) {
                const uint4 b = *reinterpret_cast<const uint4*>(split_y[c][8 * q + group][within]);
                multiply(products[q], rest, b.x, b.z);
                multiply(products[q], a, b.y, b.w);
                multiply(products[q], a, b.x, b.z);
            }
        }
#if FORM == SQUARE
        const float times = 2 * scale;
#else
        const float times = scale;
#endif
#pragma unroll
        for (int r = 0; r < 2; ++r)
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                float z[8];
#pragma unroll
                for (int q = 0; q < 8; ++q) {
                    const int tile = half * 4 + q / 2;
                    z[q] = fmaf(times, products[tile][2 * r + q % 2], heights[8 * tile + 2 * within + q % 2]);
                }
                join8(lse[r], z);
            }
    }
#pragma unroll
    for (int r = 0; r < 2; ++r) {
        Lse all = join_lanes<4>(lse[r]);
#if FORM == SQUARE
        float square = squares[r];
        square += __shfl_xor_sync(ALL_LANES, square, 1);
        square += __shfl_xor_sync(ALL_LANES, square, 2);
        all.top = fmaf(-scale, square, all.top);
#endif
        const int i = first_row + 8 * r;
        if (within == 0 && i < task.row_end) {
            tops[(long long)task.split * rows + i] = all.top;
            sums[(long long)task.split * rows + i] = all.sum;
        }
    }
}
