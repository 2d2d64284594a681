/** @file Every notice of the method as one sentence, for a terminal or a page. */
import { signed } from '../../base/number-format.ts';
import { FEWEST_FOR_INTERVAL } from '../../base/statistics/estimate.ts';
import type { ColdStartRemedy, HiddenOthers, Notice } from '../../method/data/notice.ts';
import { quotedText } from './visible-text.ts';

const consequences: Readonly<Record<HiddenOthers['consequence'], string>> = {
  'weighted-by-total': 'Their weights are made of A.',
  'trained-plainly': 'They are trained by plain cross-entropy.',
  'effects-unknown': 'Their B and C are not known.',
};

/** A word that agrees with a count. */
const one = (n: number, singular: string, plural: string): string => (n === 1 ? singular : plural);

/** What happened, where, and what becomes of it; on one line whatever a user's file holds. */
export function noticeText(notice: Notice): string {
  switch (notice.code) {
    case 'prompts/history-hidden': {
      const { count, total, example, maxTokens, maxHistory } = notice;
      const reason =
        maxHistory === 0
          ? 'maxHistory is 0'
          : `no item fits in ${grouped(maxTokens)} tokens with the query and response`;
      return `${count} of ${total} examples (such as ${quotedText(example)}) ${one(count, 'shows', 'show')} nothing of ${one(count, 'its', 'their')} history: ${reason}. ${one(count, 'It is', 'They are')} treated as having no history.`;
    }
    case 'prompts/others-hidden': {
      const { count, total, example, maxTokens, consequence } = notice;
      return `${count} of ${total} examples (such as ${quotedText(example)}) cannot be compared with another user: no nearby user has a recent item that fits in ${grouped(maxTokens)} tokens with the query and response. ${consequences[consequence]}`;
    }
    case 'prompts/too-long': {
      const { count, total, example, maxTokens } = notice;
      return `${count} of ${total} examples (such as ${quotedText(example)}) ${one(count, 'is', 'are')} left out: query and response do not fit in ${grouped(maxTokens)} tokens.`;
    }
    case 'prompts/no-history': {
      const { count, total, example, consequence } = notice;
      const what =
        consequence === 'trained-plainly'
          ? `${one(count, 'It is', 'They are')} trained by plain cross-entropy.`
          : `Every effect of ${one(count, 'this example', 'these examples')} is 0.`;
      return `${count} of ${total} examples (such as ${quotedText(example)}) ${one(count, 'has', 'have')} no history. ${what}`;
    }
    case 'users/no-texts': {
      const { count, total, user } = notice;
      return `${count} of ${total} users (such as ${quotedText(user)}) ${one(count, 'gets', 'get')} no adapter: ${one(count, 'this user has', 'they have')} no text to learn from.`;
    }
    case 'users/no-validation': {
      const { count, total, user } = notice;
      return `${count} of ${total} users (such as ${quotedText(user)}) ${one(count, 'has', 'have')} no validation row that fits: ${one(count, 'the adapter keeps', 'their adapters keep')} the last step, not the best one.`;
    }
    case 'data/html':
      return `${notice.count === 1 ? '1 text holds' : `${grouped(notice.count)} texts hold`} tags or entities of HTML (the first in example ${quotedText(notice.example)}): a model learns them as words. "nextquill data" turns them into plain text.`;
    case 'data/repeated-texts':
      return `${notice.count === 1 ? '1 text repeats' : `${grouped(notice.count)} texts repeat`} another text of the same user word for word (the first in example ${quotedText(notice.example)}): copying looks like an effect there. "nextquill data" removes repeats.`;
    case 'data/boilerplate':
      return `All texts of ${notice.count} of ${notice.total} users begin or end with the same words (such as those of user ${quotedText(notice.user)}): what these words gain is not style. Cut them from the texts.`;
    case 'data/unknown-keys': {
      const names = notice.keys.map(({ key, count }) => `${quotedText(key)} (${count})`).join(', ');
      return `${notice.path}: unknown keys are kept in meta: ${names}`;
    }
    case 'metrics/unknown-keys':
      return `${notice.path}: unknown keys are not read: ${notice.keys.map(quotedText).join(', ')}`;
    case 'data/papers-left-out':
      return `${notice.path}: left out ${notice.short} papers with fewer than ${notice.minWords} words of abstract and ${notice.repeated} that repeat another's`;
    case 'run/estimates-differ':
      return `${notice.run}: the estimated effects differ in their last digits from those that the run began with`;
    case 'run/checkpoint-damaged':
      return `${notice.checkpoint}: ${notice.fault}; the checkpoint is removed and an earlier one used`;
    case 'run/environment-changed':
      return `${notice.name} is ${notice.now} now and was ${notice.before} when the run began: the last digits may differ`;
    case 'engine/warning':
      return notice.message;
    case 'run/step-log-cut':
      return `${notice.run}: steps.jsonl has lost the lines after step ${notice.lines}; training continues from step ${notice.step}`;
    case 'evaluation/cold-start': {
      const { change, low, high, users, remedies } = notice;
      const few =
        users < FEWEST_FOR_INTERVAL
          ? ` With ${users === 1 ? 'one user' : `${users} users`} this may be chance.`
          : '';
      return `Without a history, text became less likely: ${signed(change, 3)} nats a token [${signed(low, 3)}, ${signed(high, 3)}].${few} ${remedyText(remedies)}`;
    }
  }
}

/** What to switch on, with the flags that do it. */
export function remedyText(remedies: readonly ColdStartRemedy[]): string {
  const steps = remedies.map((remedy) =>
    remedy.code === 'stop-gradient'
      ? 'stop the gradient into the pass without history (--objective-option stopGradient=true)'
      : remedy.above > 0
        ? `hold that pass closer to the starting model (anchorWeight above ${remedy.above})`
        : 'anchor that pass to the starting model (--objective-option anchorWeight=0.1)',
  );
  return `To fix this, ${steps.join(', or ')}.`;
}

const grouped = (n: number) => n.toLocaleString('en');
