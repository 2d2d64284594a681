/** @file What a forgetting asks of the model: log-probabilities of the user's texts, and that nothing of the user runs on. */
import { promptPair } from '../../method/prompts/pair.ts';
import { createScorer } from '../../method/scoring/scorer.ts';
import { ApiError } from './api-error.ts';
import type { ServerContext } from './context.ts';
import type { ForgettingMeasures } from './store-contract.ts';

/** Between looks at whether the user's rows are free. */
const LOOK_MS = 5;

export function forgettingMeasures(server: ServerContext): ForgettingMeasures {
  return {
    logProbabilities: async (probes, given) => {
      const { store, defaultAdapter, adapters, model, settings } = server;
      const record = given ?? (defaultAdapter === undefined ? undefined : store.adapter(defaultAdapter));
      const hold = record && (await adapters.hold(record));
      const forever = new AbortController().signal;
      try {
        return await server.effects.run(forever, async () => {
          const trained = hold?.prompt ?? server.prompt;
          const prompt = {
            ...trained,
            template: settings.template ?? trained.template,
            reference: 'removed' as const,
            retrieval: 'latest' as const,
          };
          const pairs = probes.map(({ query, text, history }, i) =>
            promptPair(
              { id: `probe ${i + 1}`, user: '', query, response: text, history },
              model.tokenizer,
              prompt,
            ),
          );
          await using scorer = createScorer({ model, ...(hold && { adapter: hold.adapter }) });
          const effects = await scorer.effects(pairs);
          server.metrics.effectsPasses(2 * pairs.length);
          return effects.map(({ logProbWithHistory, logProbWithoutHistory }) => ({
            withHistory: [...logProbWithHistory],
            withoutHistory: [...logProbWithoutHistory],
          }));
        });
      } finally {
        hold?.release();
      }
    },
    releaseUser: async (user) => {
      const reason = new ApiError(409, 'user: expected one that is not being forgotten', {
        code: 'user_being_forgotten',
        param: 'nextquill.user',
        retryAfter: 1,
      });
      for (const request of server.live.ofUser(user)) request.stop(reason);
      while (server.live.ofUser(user).length > 0)
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    },
  };
}
