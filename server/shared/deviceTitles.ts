// What devices are called for people. Pure.
export const deviceTitles = { cpu: 'CPU', webgpu: 'WebGPU', cuda: 'CUDA' } as const;
