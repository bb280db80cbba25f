// Sums over the columns of a tile with weights: sum_j w_ij v_jk, or sum_j w_ij inner(x_ik, y_jk).
//
// The weights of a tile pass through shared memory, column by column. A warp has a quarter
// of the rows; its lanes are 8 neighbouring k times 4 groups of columns, and each lane has 4 of the k.
#pragma once
#include "tile.cuh"

#define OUTPUTS 32
#define WARP_ROWS (2 * ROWS_HERE)
#define LANE_OUTPUTS 4

struct Weights {
    real w[TILE_COLUMNS * ROW_PITCH];
};

INLINE void store_weights(Weights& weights, const real (&w)[ROWS_HERE][COLUMNS_HERE]) {
#pragma unroll
    for (int q = 0; q < COLUMNS_HERE; ++q)
#pragma unroll
        for (int r = 0; r < ROWS_HERE; ++r) weights.w[tile_column(q) * ROW_PITCH + tile_row(r)] = w[r][q];
}

// The sums of a thread: its rows times its outputs, and its part of the sums of weights.
struct Sums {
    real of[WARP_ROWS][LANE_OUTPUTS];
    real weights[WARP_ROWS];
};

INLINE int warp_row(int r) { return (int)threadIdx.x / 32 * WARP_ROWS + r; }
INLINE int lane_output(int t) { return blockIdx.y * OUTPUTS + t * 8 + (int)threadIdx.x % 8; }

INLINE void clear(Sums& sums) {
#pragma unroll
    for (int r = 0; r < WARP_ROWS; ++r) {
#pragma unroll
        for (int t = 0; t < LANE_OUTPUTS; ++t) sums.of[r][t] = 0;
        sums.weights[r] = 0;
    }
}

// Adds columns from `column` on. `values` has `outputs` numbers per column. With SLOPES they are the
// points y, and own is x.
template <bool SLOPES>
INLINE void accumulate(Sums& sums, const Weights& weights, const real (&own)[WARP_ROWS][LANE_OUTPUTS],
                       const real* values, int outputs, int column, int column_end, real p) {
    const int here = min(TILE_COLUMNS, column_end - column);
    const int parts = min(LANE_OUTPUTS, (outputs - (int)blockIdx.y * OUTPUTS + 7) / 8);
    for (int j = (int)threadIdx.x / 8 % 4; j < here; j += 4) {
        real w[WARP_ROWS];
        load<WARP_ROWS>(weights.w + j * ROW_PITCH + warp_row(0), w);
#pragma unroll
        for (int r = 0; r < WARP_ROWS; ++r) sums.weights[r] += w[r];
#pragma unroll
        for (int t = 0; t < LANE_OUTPUTS; ++t) {
            if (t >= parts) break;
            const int k = lane_output(t);
            const real v = k < outputs ? values[(long long)(column + j) * outputs + k] : 0;
#pragma unroll
            for (int r = 0; r < WARP_ROWS; ++r)
                sums.of[r][t] = fused(w[r], SLOPES ? inner(own[r][t], v, p) : v, sums.of[r][t]);
        }
    }
}

// Over the 4 groups of columns.
INLINE real join_groups(real v) {
    v += __shfl_xor_sync(ALL_LANES, v, 8);
    return v + __shfl_xor_sync(ALL_LANES, v, 16);
}

// Writes the part `split` of the sums: partial[split][row][output], weight_sums[split][row].
INLINE void write_sums(const Sums& sums, const Task& task, int rows, int outputs, real* partial,
                       real* weight_sums) {
#pragma unroll
    for (int r = 0; r < WARP_ROWS; ++r) {
        const int i = task.row + warp_row(r);
        const long long at = (long long)task.split * rows + i;
#pragma unroll
        for (int t = 0; t < LANE_OUTPUTS; ++t) {
            const real v = join_groups(sums.of[r][t]);
            const int k = lane_output(t);
            if (threadIdx.x % 32 < 8 && i < task.row_end && k < outputs) partial[at * outputs + k] = v;
        }
        const real weight = join_groups(sums.weights[r]);
        if (threadIdx.x % 32 == 0 && blockIdx.y == 0 && i < task.row_end) weight_sums[at] = weight;
    }
}

// The coordinates of x that belong to the outputs of this thread.
INLINE void own_points(real (&own)[WARP_ROWS][LANE_OUTPUTS], const real* x, const Task& task, int d) {
#pragma unroll
    for (int r = 0; r < WARP_ROWS; ++r)
#pragma unroll
        for (int t = 0; t < LANE_OUTPUTS; ++t) {
            const int i = task.row + warp_row(r), k = lane_output(t);
            own[r][t] = i < task.row_end && k < d ? x[(long long)i * d + k] : 0;
        }
}
