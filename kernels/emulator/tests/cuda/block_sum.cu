// Adds two vectors, and sums the result over each block.
extern "C" __global__ void block_sum(const float *a, const float *b, float *c, float *sums, int n)
{
    __shared__ float partial[256];
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    float value = 0.f;
    if (i < n) {
        value = a[i] + b[i];
        c[i] = value;
    }
    partial[threadIdx.x] = value;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half)
            partial[threadIdx.x] += partial[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0)
        sums[blockIdx.x] = partial[0];
}
