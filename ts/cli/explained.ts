import { shortId } from '../errors.ts';
import { showPath } from '../path.ts';
import type { AttributeExplanation, Explanation } from '../session/explanation.ts';
import { bytes, plural } from './report.ts';

/** A step's save, as it was explained before. */
export interface Explained {
  readonly id: string;
  /** That the save made. */
  readonly revision: number;
  readonly explanation: Explanation;
}

const MOST = 10;
/** As many attributes of each are shown. */
const MOST_SHOWN = 5;

/** What differed, whether it was sent alone or in a snapshot of the whole. */
const sizeOf = ({ attributes }: Explanation): number => attributes.reduce((sum, one) => sum + one.bytes, 0);

/** The steps with most that differed, the largest first. */
export class Largest {
  readonly steps: Explained[] = [];

  /** False: there are enough that are larger. */
  add(step: Explained): boolean {
    const size = sizeOf(step.explanation);
    const at = this.steps.findIndex(({ explanation }) => sizeOf(explanation) < size);
    if (at < 0 && this.steps.length === MOST) return false;
    this.steps.splice(at < 0 ? this.steps.length : at, 0, step);
    if (this.steps.length > MOST) this.steps.pop();
    return true;
  }
}

/** As people read it. */
export function explainedText(steps: readonly Explained[]): string {
  return [`the ${plural(steps.length, 'step')} with most that differed`, ...steps.flatMap(stepLines)].join('\n');
}

function stepLines({ id, revision, explanation }: Explained, index: number): string[] {
  const { kind, why, attributes } = explanation;
  const differing = attributes.filter(({ op }) => op !== 'nothing');
  const sent = kind === 'nothing' ? 'nothing sent' : `${bytes(explanation.bytes)} sent as a ${kind}`;
  const head = `${index + 1}. session '${shortId(id)}', revision ${revision}: ${sent}; ${why}`;
  const lines = [head, ...differing.slice(0, MOST_SHOWN).flatMap(attributeLines)];
  const more = differing.slice(MOST_SHOWN);
  const moreBytes = more.reduce((sum, one) => sum + one.bytes, 0);
  if (more.length > 0) lines.push(`   and ${plural(more.length, 'attribute')} more: ${bytes(moreBytes)}`);
  const equal = attributes.length - differing.length;
  if (equal > 0) lines.push(`   ${plural(equal, 'attribute')} looked at, and equal`);
  return lines;
}

function attributeLines({ name, why, way, whyWhole, ...rest }: AttributeExplanation): string[] {
  const { bytes: size, valueBytes, paths, places, largest } = rest;
  const first = paths[0];
  const written =
    first === undefined
      ? ''
      : `; written in ${plural(places, 'place')}${places > 1 ? ', first' : ''}: ${showPath(first)}`;
  const how = { portions: 'of its portions', compared: 'of a comparison', whole: `whole: ${whyWhole}` }[way];
  return [
    `   ${showPath([name])}: ${bytes(size)} of ${bytes(valueBytes)}; ${why}; encoded ${how}${written}`,
    ...largest.map(({ path, op, bytes: length }) => `     ${showPath(path)} ${op}, ${bytes(length)}`),
  ];
}
