/** @file Where each option of an objective has an effect: given elsewhere, it would be recorded and do nothing. */
import { ConfigError } from '../../base/errors.ts';
import {
  defaultObjectiveOptions,
  type ObjectiveOptions,
  resolveObjectiveOptions,
} from './objective-options.ts';
import { hasDifferenceTerm, type ObjectiveName, weighsByEffects, weightRuleOf } from './objectives.ts';

interface Use {
  /** What the option acts on, after "an objective with". */
  readonly on: string;
  readonly isThere: (name: ObjectiveName, options: Required<ObjectiveOptions>) => boolean;
}

const ofRule = (rule: ReturnType<typeof weightRuleOf>): Use['isThere'] => {
  return (name, options) =>
    weightRuleOf(name) === rule && !options.softWeights && weighsByEffects(name, options);
};
const threshold: Use = { on: 'weights about a threshold', isThere: ofRule('threshold') };
const soft: Use = {
  on: 'soft weights',
  isThere: (name, options) => options.softWeights && weighsByEffects(name, options),
};
const difference: Use = { on: 'a loss on the logit difference', isThere: hasDifferenceTerm };
/** The divergence has no sign, so that it cannot be compared with others' histories. */
const signed: Use['isThere'] = (name, options) =>
  weighsByEffects(name, options) && !ofRule('divergence')(name, options);

/** An option that is not here has an effect everywhere. */
const uses: Readonly<Partial<Record<keyof ObjectiveOptions, Use>>> = {
  effectThreshold: threshold,
  highWeight: threshold,
  lowWeight: threshold,
  effectWeight: difference,
  effectWarmup: difference,
  stopGradient: difference,
  weightGradient: { on: 'weights that are divergences', isThere: ofRule('divergence') },
  softWeights: { on: 'token weights', isThere: weighsByEffects },
  softSlope: soft,
  softCentre: soft,
  weightsFrom: { on: 'token weights of a sign', isThere: signed },
  placebos: {
    on: 'weights made of userSpecific effects',
    isThere: (name, options) => options.weightsFrom === 'userSpecific' && signed(name, options),
  },
  plainWeight: { on: 'token weights', isThere: (name) => weightRuleOf(name) !== 'uniform' },
};

/**
 * Checks that options mean something for an objective. An option that is given as off, its default, says what is true.
 * @param given by the caller: options that a name brings along may have lost their use to these
 * @param brought what the name brings along
 * @throws {ConfigError} naming the option that has no effect
 */
export function checkOptionsInUse(
  name: ObjectiveName,
  given: ObjectiveOptions,
  brought: ObjectiveOptions = {},
): void {
  const options = resolveObjectiveOptions({ ...brought, ...given });
  for (const [option, use] of Object.entries(uses) as [keyof ObjectiveOptions, Use][]) {
    if (given[option] === undefined || isOff(option, options) || use.isThere(name, options)) continue;
    throw new ConfigError(
      `objectiveOptions: ${option}: expected an objective with ${use.on}, got ${name}, which has none with these options`,
      {
        code: 'objective/option',
        hint: `Leave ${option} away, or choose an objective and options with ${use.on}.`,
      },
    );
  }
}

function isOff(option: keyof ObjectiveOptions, options: Required<ObjectiveOptions>): boolean {
  const off = defaultObjectiveOptions[option];
  return options[option] === off && (off === false || off === 0 || off === 'total');
}
