// How quantised checkpoints are told where config.json does not say it: by the names and dtypes of their tensors.
import type { SafetensorsDtype } from './safetensors';

interface Stored {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
}

interface QuantisedForm {
  readonly name: string;
  /** Endings of names that must all be among the tensors. */
  readonly endings: readonly RegExp[];
  /** Of weights: one of them must have one of these. Default: any. */
  readonly dtypes?: readonly SafetensorsDtype[];
}

const fp8 = ['F8_E4M3', 'F8_E5M2', 'F8_E4M3FNUZ', 'F8_E5M2FNUZ'] as const;

/** The more particular ones first. Names as the tools write them. */
const forms: readonly QuantisedForm[] = [
  { name: 'AQLM', endings: [/\.codebooks$/, /\.codes$/] },
  { name: 'bitsandbytes, 4 bits', endings: [/\.quant_state\.bitsandbytes__\w+$/] },
  { name: 'bitsandbytes, 4 bits', endings: [/\.absmax$/, /\.quant_map$/] },
  { name: 'bitsandbytes, 8 bits', endings: [/\.SCB$/] },
  { name: 'compressed-tensors', endings: [/\.weight_packed$/] },
  { name: 'GPTQ', endings: [/\.qweight$/, /\.g_idx$/] },
  { name: 'AWQ or GPTQ', endings: [/\.qweight$/, /\.qzeros$/] },
  { name: 'GPTQ for Marlin', endings: [/\.B$/, /\.s$/], dtypes: ['I32'] },
  { name: 'HQQ', endings: [/\.W_q$/] },
  { name: 'MXFP4', endings: [/_blocks$/, /_scales$/], dtypes: ['U8'] },
  { name: 'NVFP4', endings: [/\.weight_scale_2$/] },
  { name: 'quanto', endings: [/\.(weight|_weight)\._data$/] },
  { name: 'torchao', endings: [/[:.]qdata$/] },
  { name: 'MLX', endings: [/\.scales$/], dtypes: ['U32'] },
  { name: 'FP8', endings: [/\.weight(_scale|_scale_inv|\.scale)$/], dtypes: fp8 },
  { name: 'eight bits, with scales', endings: [/scale\w*$/i], dtypes: ['I8', 'U8'] },
];

/** The way in which tensors are quantised; null where nothing speaks for it. */
export function quantisedForm(tensors: readonly Stored[]): string | null {
  const fits = ({ endings, dtypes }: QuantisedForm) =>
    endings.every((ending) => tensors.some(({ name }) => ending.test(name))) &&
    (!dtypes || tensors.some(({ dtype }) => dtypes.includes(dtype)));
  return forms.find(fits)?.name ?? null;
}
