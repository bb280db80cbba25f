// What a plan does, without the plan: products with vectors, mean costs, gradients of the dual value in
// the points.
//
// Each works with the conditional plan of a row, w_ij = 2^(h_j - scale * form_ij - log_sum_i), whose sum
// over j is 1: `log_sums` are those of softmin_merge. contract_merge multiplies by the row's mass.
#include "contract.cuh"

// The conditional plan of a tile; forms are replaced by it.
INLINE void conditional(real (&forms)[ROWS_HERE][COLUMNS_HERE], const Task& task, int column,
                        const real* h, const Side& side, const real (&log_sums)[ROWS_HERE]) {
#pragma unroll
    for (int q = 0; q < COLUMNS_HERE; ++q) {
        const int j = column + tile_column(q);
        const real height = j < task.column_end ? h[j] : NOTHING;
#pragma unroll
        for (int r = 0; r < ROWS_HERE; ++r)
            forms[r][q] = power2(fused(-side.scale, forms[r][q], height) - log_sums[r]);
    }
}

INLINE void own_log_sums(real (&own)[ROWS_HERE], const real* log_sums, const Task& task, const Side& side) {
#pragma unroll
    for (int r = 0; r < ROWS_HERE; ++r)
        own[r] = log_sums[min(task.row + tile_row(r), task.row_end - 1)] - side.shift;
}

// sum_j w_ij v_jk.
extern "C" __global__ void __launch_bounds__(TILE_THREADS)
transport_apply(const int* __restrict__ tasks, const real* __restrict__ x, const real* __restrict__ y, int d,
                int stride, real p, const real* __restrict__ h, const real* __restrict__ sides,
                const real* __restrict__ log_sums, const real* __restrict__ values, int outputs, int rows,
                real* __restrict__ partial, real* __restrict__ weight_sums) {
    __shared__ __align__(16) Chunk chunk;
    __shared__ __align__(16) Weights weights;
    const Task task = read_task(tasks);
    const Side side = read_side(sides, task.problem);
    const Source source = {x, y, d, stride, p};
    const real none[WARP_ROWS][LANE_OUTPUTS] = {};
    real own[ROWS_HERE];
    own_log_sums(own, log_sums, task, side);
    Sums sums;
    clear(sums);
    for (int j0 = task.column; j0 < task.column_end; j0 += TILE_COLUMNS) {
        real w[ROWS_HERE][COLUMNS_HERE];
        tile_forms(w, source, task.row, task.row_end, j0, task.column_end, chunk);
        conditional(w, task, j0, h, side, own);
        __syncthreads();
        store_weights(weights, w);
        __syncthreads();
        accumulate<false>(sums, weights, none, values, outputs, j0, task.column_end, p);
    }
    write_sums(sums, task, rows, outputs, partial, weight_sums);
}

// sum_j w_ij form_ij, and the sums of weights.
extern "C" __global__ void __launch_bounds__(TILE_THREADS)
transport_cost(const int* __restrict__ tasks, const real* __restrict__ x, const real* __restrict__ y, int d,
               int stride, real p, const real* __restrict__ h, const real* __restrict__ sides,
               const real* __restrict__ log_sums, int rows, real* __restrict__ partial,
               real* __restrict__ weight_sums) {
    __shared__ __align__(16) Chunk chunk;
    const Task task = read_task(tasks);
    const Side side = read_side(sides, task.problem);
    const Source source = {x, y, d, stride, p};
    real own[ROWS_HERE], sums[ROWS_HERE] = {}, totals[ROWS_HERE] = {};
    own_log_sums(own, log_sums, task, side);
    for (int j0 = task.column; j0 < task.column_end; j0 += TILE_COLUMNS) {
        real forms[ROWS_HERE][COLUMNS_HERE], w[ROWS_HERE][COLUMNS_HERE];
        tile_forms(forms, source, task.row, task.row_end, j0, task.column_end, chunk);
#pragma unroll
        for (int r = 0; r < ROWS_HERE; ++r)
#pragma unroll
            for (int q = 0; q < COLUMNS_HERE; ++q) w[r][q] = forms[r][q];
        conditional(w, task, j0, h, side, own);
#pragma unroll
        for (int r = 0; r < ROWS_HERE; ++r)
#pragma unroll
            for (int q = 0; q < COLUMNS_HERE; ++q) {
                sums[r] = fused(w[r][q], forms[r][q], sums[r]);
                totals[r] += w[r][q];
            }
    }
#pragma unroll
    for (int r = 0; r < ROWS_HERE; ++r) {
#pragma unroll
        for (int lane = 8; lane > 0; lane /= 2) {
            sums[r] += __shfl_xor_sync(ALL_LANES, sums[r], lane);
            totals[r] += __shfl_xor_sync(ALL_LANES, totals[r], lane);
        }
        const int i = task.row + tile_row(r);
        if (threadIdx.x % 16 == 0 && i < task.row_end) {
            partial[(long long)task.split * rows + i] = sums[r];
            weight_sums[(long long)task.split * rows + i] = totals[r];
        }
    }
}

#if FORM != STORED

// sum_j w_ij d form_ij / d x_ik: with the row's mass and the scale of the cost, the gradient of the dual
// value in x_i at fixed potentials (the envelope theorem).
extern "C" __global__ void __launch_bounds__(TILE_THREADS)
transport_gradient(const int* __restrict__ tasks, const real* __restrict__ x, const real* __restrict__ y,
                   int d, int stride, real p, const real* __restrict__ h, const real* __restrict__ sides,
                   const real* __restrict__ log_sums, int rows, real* __restrict__ partial,
                   real* __restrict__ weight_sums) {
    __shared__ __align__(16) Chunk chunk;
    __shared__ __align__(16) Weights weights;
    const Task task = read_task(tasks);
    const Side side = read_side(sides, task.problem);
    const Source source = {x, y, d, stride, p};
    real own[ROWS_HERE], points[WARP_ROWS][LANE_OUTPUTS];
    own_log_sums(own, log_sums, task, side);
    own_points(points, x, task, d);
    Sums sums;
    clear(sums);
    for (int j0 = task.column; j0 < task.column_end; j0 += TILE_COLUMNS) {
        real forms[ROWS_HERE][COLUMNS_HERE], w[ROWS_HERE][COLUMNS_HERE];
        tile_forms(forms, source, task.row, task.row_end, j0, task.column_end, chunk);
#pragma unroll
        for (int r = 0; r < ROWS_HERE; ++r)
#pragma unroll
            for (int q = 0; q < COLUMNS_HERE; ++q) w[r][q] = forms[r][q];
        conditional(w, task, j0, h, side, own);
#pragma unroll
        for (int r = 0; r < ROWS_HERE; ++r)
#pragma unroll
            for (int q = 0; q < COLUMNS_HERE; ++q) w[r][q] *= outer(forms[r][q], p);
        __syncthreads();
        store_weights(weights, w);
        __syncthreads();
        accumulate<true>(sums, weights, points, y, d, j0, task.column_end, p);
    }
    write_sums(sums, task, rows, d, partial, weight_sums);
}

#endif
