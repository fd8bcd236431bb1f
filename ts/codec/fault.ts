import { HoldfastError, nameOf } from '../errors.ts';
import { showPath, type Path, type PathStep } from '../path.ts';
import { DEPTH_LIMIT } from './format.ts';

/** Whatever stopped the encoder, as the caller is to see it; in the attribute `name`. */
export function refusal(cause: unknown, name: string): HoldfastError {
  const fault = Fault.from(cause);
  if (fault.cause instanceof HoldfastError) return fault.cause;
  const path: Path = [name, ...fault.steps.toReversed()];
  return new HoldfastError(fault.code, `${showPath(path)} ${fault.message}`, { paths: [path], cause: fault.cause });
}

interface FaultDetails {
  readonly code?: 'ERR_INVALID' | 'ERR_LIMIT';
  readonly cause?: unknown;
}

/** On its way up each container adds the step that led to it: the walk itself keeps no path. */
export class Fault extends Error {
  readonly code: 'ERR_INVALID' | 'ERR_LIMIT';
  readonly steps: PathStep[] = [];

  constructor(message: string, { code = 'ERR_INVALID', cause }: FaultDetails = {}) {
    super(message, { cause });
    this.code = code;
  }

  /** A getter or a Proxy threw, a built-in method met an impostor, or the caller's stack was nearly used up. */
  static from(cause: unknown): Fault {
    if (cause instanceof Fault) return cause;
    if (cause instanceof RangeError)
      return new Fault('is nested too deeply for the stack, or too large: keep it flatter or smaller', {
        code: 'ERR_LIMIT',
        cause,
      });
    // Its message may have the user's values.
    return new Fault(`could not be read (${nameOf(cause)}, see \`cause\`): store plain data`, { cause });
  }

  static at(step: PathStep | undefined, cause: unknown): Fault {
    const fault = Fault.from(cause);
    if (step !== undefined) fault.steps.push(step);
    return fault;
  }
}

export function refuse(what: string, remedy: string): never {
  throw new Fault(`is ${what}, which cannot be kept: ${remedy}`);
}

export function refuseDepth(): never {
  throw new Fault(`is nested deeper than ${DEPTH_LIMIT}: keep it flatter`, { code: 'ERR_LIMIT' });
}
