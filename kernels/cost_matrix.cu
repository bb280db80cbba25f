// Matrices of costs, their gradients in the points, and the sums that a relative epsilon needs.
#include "contract.cuh"

// out[i][j] = scale * form(x_i, y_j). Blocks go through the tiles row by row.
extern "C" __global__ void __launch_bounds__(TILE_THREADS)
cost_matrix(const real* __restrict__ x, const real* __restrict__ y, int n, int m, int d, real p, real scale,
            real* __restrict__ out) {
    __shared__ __align__(16) Chunk chunk;
    const int across = (m + TILE_COLUMNS - 1) / TILE_COLUMNS;
    const int row = blockIdx.x / across * TILE_ROWS, column = blockIdx.x % across * TILE_COLUMNS;
    const Source source = {x, y, d, 1, p};
    real forms[ROWS_HERE][COLUMNS_HERE];
    tile_forms(forms, source, row, n, column, m, chunk);
#pragma unroll
    for (int r = 0; r < ROWS_HERE; ++r)
#pragma unroll
        for (int q = 0; q < COLUMNS_HERE; ++q) {
            const int i = row + tile_row(r), j = column + tile_column(q);
            if (i < n && j < m) out[(long long)i * m + j] = scale * forms[r][q];
        }
}

// scale * sum_j g_ij d form_ij / d x_ik from upstream gradients g, whose rows and columns are `step` and
// `across` apart: with x and y exchanged and the steps too, the gradient in y.
extern "C" __global__ void __launch_bounds__(TILE_THREADS)
cost_gradient(const int* __restrict__ tasks, const real* __restrict__ x, const real* __restrict__ y, int d,
              real p, real scale, const real* __restrict__ upstream, int step, int across, int rows,
              real* __restrict__ partial, real* __restrict__ weight_sums) {
    __shared__ __align__(16) Chunk chunk;
    __shared__ __align__(16) Weights weights;
    const Task task = read_task(tasks);
    const Source source = {x, y, d, 1, p};
    real points[WARP_ROWS][LANE_OUTPUTS];
    own_points(points, x, task, d);
    Sums sums;
    clear(sums);
    for (int j0 = task.column; j0 < task.column_end; j0 += TILE_COLUMNS) {
        real w[ROWS_HERE][COLUMNS_HERE];
#if FORM == DISTANCE
        tile_forms(w, source, task.row, task.row_end, j0, task.column_end, chunk);
#endif
#pragma unroll
        for (int r = 0; r < ROWS_HERE; ++r)
#pragma unroll
            for (int q = 0; q < COLUMNS_HERE; ++q) {
                const int i = task.row + tile_row(r), j = j0 + tile_column(q);
                const bool inside = i < task.row_end && j < task.column_end;
                const real g = inside ? upstream[(long long)i * step + (long long)j * across] : 0;
#if FORM == DISTANCE
                w[r][q] = scale * g * (inside ? outer(w[r][q], p) : 0);
#else
                w[r][q] = scale * g * outer(0, p);
#endif
            }
        __syncthreads();
        store_weights(weights, w);
        __syncthreads();
        accumulate<true>(sums, weights, points, y, d, j0, task.column_end, p);
    }
    write_sums(sums, task, rows, d, partial, weight_sums);
}

// Of the costs of a tile's rows each: sum, sum of squares, largest absolute value.
extern "C" __global__ void __launch_bounds__(TILE_THREADS)
cost_statistics(const real* __restrict__ x, const real* __restrict__ y, int n, int m, int d, int stride,
                real p, real scale, double* __restrict__ out) {
    __shared__ __align__(16) Chunk chunk;
    __shared__ double scratch[32];
    const Source source = {x, y, d, stride, p};
    const int row = blockIdx.x * TILE_ROWS;
    double sum = 0, squares = 0, largest = 0;
    for (int column = 0; column < m; column += TILE_COLUMNS) {
        real forms[ROWS_HERE][COLUMNS_HERE];
        tile_forms(forms, source, row, n, column, m, chunk);
        real part = 0, top = 0;
        double part_squares = 0;
#pragma unroll
        for (int r = 0; r < ROWS_HERE; ++r)
#pragma unroll
            for (int q = 0; q < COLUMNS_HERE; ++q) {
                const bool inside = row + tile_row(r) < n && column + tile_column(q) < m;
                const real c = inside ? scale * forms[r][q] : 0;
                part += c;
                part_squares = fused((double)c, (double)c, part_squares);
                top = larger(top, magnitude(c));
            }
        sum += part;
        squares += part_squares;
        largest = larger(largest, (double)top);
    }
    sum = sum_block(sum, scratch);
    squares = sum_block(squares, scratch);
    largest = largest_block(largest, scratch);
    if (threadIdx.x == 0) {
        out[3 * blockIdx.x] = sum;
        out[3 * blockIdx.x + 1] = squares;
        out[3 * blockIdx.x + 2] = largest;
    }
}
