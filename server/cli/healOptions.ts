// Values of options that only healing has.
import { InvalidArgumentError } from 'commander';

/** A number of 0 or more. */
export function amount(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('It must be a number of 0 or more, such as 5e-4.');
  return value;
}

/** `q_proj=4;layers.3.mlp.up_proj=16` */
export function perModule(text: string): Record<string, number> {
  return Object.fromEntries(
    text.split(';').map((part) => {
      const [name, value, ...rest] = part.split('=');
      if (!name || value === undefined || rest.length > 0 || !(Number(value) > 0))
        throw new InvalidArgumentError('It must be names with numbers, such as "q_proj=4;up_proj=16".');
      return [name, Number(value)];
    }),
  );
}
