// The half step of Sinkhorn's algorithm, without the matrix of costs: for each row,
//
//   log2 sum_j 2^(h_j - scale * form(x_i, y_j)),   h_j = potential_j + log2 weight_j,
//
// as (top, sum) per part of the columns; `softmin_merge` of update.cu joins the parts. The running
// maximum moves once per 8 columns and without branches: 9 exponentials per 8 pairs.
//
// Reference: the online form of arXiv:1810.08278, section 3; blocks of columns as in arXiv:2205.14135.
#include "tile.cuh"

#if DIM > 0 && DIM <= 32 && FORM != STORED

// A thread has the coordinates of its rows in registers; columns are read from shared memory, by all
// threads the same one.
#define THREADS 128
#define TILE 64
#if DIM <= 16
#define OWN 2
#else
#define OWN 1
#endif

extern "C" __global__ void __launch_bounds__(THREADS, 4)
softmin(const int* __restrict__ tasks, const real* __restrict__ x, const real* __restrict__ y, int d,
        int stride, real p, const real* __restrict__ h, const real* __restrict__ sides,
        real* __restrict__ tops, real* __restrict__ sums, int rows) {
    __shared__ __align__(16) real ys[TILE * DIM];
    __shared__ __align__(16) real hs[TILE];
    const Task task = read_task(tasks);
    const real scale = read_side(sides, task.problem).scale;
    real own[OWN][DIM];
    Lse lse[OWN];
#pragma unroll
    for (int r = 0; r < OWN; ++r) {
        const int i = min(task.row + r * THREADS + (int)threadIdx.x, task.row_end - 1);
#pragma unroll
        for (int k = 0; k < DIM; ++k) own[r][k] = x[(long long)i * DIM + k];
        lse[r] = nothing();
    }
    for (int j0 = task.column; j0 < task.column_end; j0 += TILE) {
        const int here = min(TILE, task.column_end - j0);
        __syncthreads();
#pragma unroll
        for (int from = 0; from < TILE * DIM; from += THREADS) {
            const int t = from + (int)threadIdx.x;
            if (t < TILE * DIM) ys[t] = t < here * DIM ? y[(long long)j0 * DIM + t] : 0;
        }
        if (threadIdx.x < TILE) hs[threadIdx.x] = threadIdx.x < here ? h[j0 + threadIdx.x] : NOTHING;
        __syncthreads();
#pragma unroll 1
        for (int c = 0; c < here; c += 8) {
            real z[OWN][8];
#pragma unroll
            for (int q = 0; q < 8; ++q) {
                real sum[OWN];
#pragma unroll
                for (int r = 0; r < OWN; ++r) sum[r] = 0;
#pragma unroll
                for (int k = 0; k < DIM; ++k) {
                    const real v = ys[(c + q) * DIM + k];
#pragma unroll
                    for (int r = 0; r < OWN; ++r) sum[r] = add_term(sum[r], own[r][k], v, p);
                }
#pragma unroll
                for (int r = 0; r < OWN; ++r) z[r][q] = fused(-scale, form_of(sum[r]), hs[c + q]);
            }
#pragma unroll
            for (int r = 0; r < OWN; ++r) join8(lse[r], z[r]);
        }
    }
#pragma unroll
    for (int r = 0; r < OWN; ++r) {
        const int i = task.row + r * THREADS + (int)threadIdx.x;
        if (i < task.row_end) {
            tops[(long long)task.split * rows + i] = lse[r].top;
            sums[(long long)task.split * rows + i] = lse[r].sum;
        }
    }
}

#else

extern "C" __global__ void __launch_bounds__(TILE_THREADS, 3)
softmin(const int* __restrict__ tasks, const real* __restrict__ x, const real* __restrict__ y, int d,
        int stride, real p, const real* __restrict__ h, const real* __restrict__ sides,
        real* __restrict__ tops, real* __restrict__ sums, int rows) {
    __shared__ __align__(16) Chunk chunk;
    const Task task = read_task(tasks);
    const real scale = read_side(sides, task.problem).scale;
    const Source source = {x, y, d, stride, p};
    Lse lse[ROWS_HERE];
#pragma unroll
    for (int r = 0; r < ROWS_HERE; ++r) lse[r] = nothing();
    for (int j0 = task.column; j0 < task.column_end; j0 += TILE_COLUMNS) {
        real z[ROWS_HERE][COLUMNS_HERE];
        tile_forms(z, source, task.row, task.row_end, j0, task.column_end, chunk);
#pragma unroll
        for (int q = 0; q < COLUMNS_HERE; ++q) {
            const int j = j0 + tile_column(q);
            const real height = j < task.column_end ? h[j] : NOTHING;
#pragma unroll
            for (int r = 0; r < ROWS_HERE; ++r) z[r][q] = fused(-scale, z[r][q], height);
        }
#pragma unroll
        for (int r = 0; r < ROWS_HERE; ++r) join8(lse[r], z[r]);
    }
#pragma unroll
    for (int r = 0; r < ROWS_HERE; ++r) {
        const Lse all = join_lanes<16>(lse[r]);
        const int i = task.row + tile_row(r);
        if (threadIdx.x % 16 == 0 && i < task.row_end) {
            tops[(long long)task.split * rows + i] = all.top;
            sums[(long long)task.split * rows + i] = all.sum;
        }
    }
}

#endif
