// Forms between 32 rows (16 in f64) and 128 columns by a block of 128 threads, for any number of
// coordinates.
//
// A thread has 4 rows (2 in f64) and 8 columns. Coordinates pass through shared memory in chunks of 8; a chunk is
// stored coordinate by coordinate with a padding of 4, so that stores and 16-byte loads are free of
// conflicts.
#pragma once
#include "cost.cuh"

#if PRECISION == 64
#define ROWS_HERE 2
#else
#define ROWS_HERE 4
#endif
#define TILE_ROWS (8 * ROWS_HERE)
#define TILE_COLUMNS 128
#define TILE_THREADS 128
#define COLUMNS_HERE 8
#define CHUNK 8
#define ROW_PITCH (TILE_ROWS + 4)
#define COLUMN_PITCH (TILE_COLUMNS + 4)

// Coordinates of a chunk.
struct Chunk {
    real x[CHUNK * ROW_PITCH];
    real y[CHUNK * COLUMN_PITCH];
};

// Which rows and columns of the tile belong to this thread: 16 threads share their rows.
INLINE int tile_row(int r) { return (int)threadIdx.x / 16 * ROWS_HERE + r; }
INLINE int tile_column(int q) { return q / 4 * (TILE_COLUMNS / 2) + (int)threadIdx.x % 16 * 4 + q % 4; }

// Where forms come from. Of a stored matrix, x is the matrix, and d and stride are the distances of
// neighbouring rows and columns.
struct Source {
    const real* x;
    const real* y;
    int d, stride;
    real p;
};

template <int PITCH, int COUNT>
INLINE void fill_chunk(real* chunk, const real* points, int first, int end, int d, int k0) {
#pragma unroll
    for (int from = 0; from < COUNT * CHUNK; from += TILE_THREADS) {
        const int i = (from + (int)threadIdx.x) / CHUNK, k = (int)threadIdx.x % CHUNK;
        const bool inside = first + i < end && k0 + k < d;
        chunk[k * PITCH + i] = inside ? points[(long long)(first + i) * d + k0 + k] : 0;
    }
}

// forms[r][q] between rows from `row` and columns from `column`; anything past the ends.
INLINE void tile_forms(real (&forms)[ROWS_HERE][COLUMNS_HERE], const Source& source, int row, int row_end,
                       int column, int column_end, Chunk& chunk) {
#pragma unroll
    for (int r = 0; r < ROWS_HERE; ++r)
#pragma unroll
        for (int q = 0; q < COLUMNS_HERE; ++q) forms[r][q] = 0;
#if FORM == STORED
#pragma unroll
    for (int r = 0; r < ROWS_HERE; ++r)
#pragma unroll
        for (int q = 0; q < COLUMNS_HERE; ++q) {
            const int i = row + tile_row(r), j = column + tile_column(q);
            if (i < row_end && j < column_end)
                forms[r][q] = source.x[(long long)i * source.d + (long long)j * source.stride];
        }
#else
#if DIM > 0
    const int d = DIM;
#else
    const int d = source.d;
#endif
    for (int k0 = 0; k0 < d; k0 += CHUNK) {
        __syncthreads();
        fill_chunk<ROW_PITCH, TILE_ROWS>(chunk.x, source.x, row, row_end, d, k0);
        fill_chunk<COLUMN_PITCH, TILE_COLUMNS>(chunk.y, source.y, column, column_end, d, k0);
        __syncthreads();
        // Sums of a chunk before sums of chunks: rounding grows with d / 8 instead of d.
        real part[ROWS_HERE][COLUMNS_HERE];
#pragma unroll
        for (int r = 0; r < ROWS_HERE; ++r)
#pragma unroll
            for (int q = 0; q < COLUMNS_HERE; ++q) part[r][q] = 0;
#if PRECISION == 64 || FORM == POWER
#pragma unroll 1
#else
#pragma unroll 4
#endif
        for (int k = 0; k < CHUNK; ++k) {
            real x[ROWS_HERE], y[COLUMNS_HERE];
            load<ROWS_HERE>(chunk.x + k * ROW_PITCH + tile_row(0), x);
            load4(chunk.y + k * COLUMN_PITCH + tile_column(0), y);
            load4(chunk.y + k * COLUMN_PITCH + tile_column(4), y + 4);
#pragma unroll
            for (int r = 0; r < ROWS_HERE; ++r)
#pragma unroll
                for (int q = 0; q < COLUMNS_HERE; ++q) part[r][q] = add_term(part[r][q], x[r], y[q], source.p);
        }
#pragma unroll
        for (int r = 0; r < ROWS_HERE; ++r)
#pragma unroll
            for (int q = 0; q < COLUMNS_HERE; ++q) forms[r][q] += part[r][q];
    }
#pragma unroll
    for (int r = 0; r < ROWS_HERE; ++r)
#pragma unroll
        for (int q = 0; q < COLUMNS_HERE; ++q) forms[r][q] = form_of(forms[r][q]);
#endif
}
