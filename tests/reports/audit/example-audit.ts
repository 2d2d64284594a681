/** @file A small audit for tests of words and pages, whose every number can be replaced; two of its users are listed. */

import type { AuditResult, GroupEffects } from '../../../src/method/audit/results.ts';
import { defaultPromptSettings } from '../../../src/method/prompts/pair.ts';
import { about } from '../comparison/example-results.ts';
import { exampleMap } from '../heat-map/example-map.ts';

export function group(name: string, userSpecific: number, texts = 6): GroupEffects {
  const half = texts === 1 ? 0 : 0.05;
  return {
    name,
    users: 1,
    texts,
    total: about(userSpecific + 0.1, half),
    generic: about(0.1, half),
    userSpecific: about(userSpecific, half),
  };
}

export function exampleAudit(extra: Partial<AuditResult> = {}): AuditResult {
  const map = exampleMap('Textword of mine', [2, 0, 0], {
    items: [{ effect: 0.2, mean: 0.1, low: 0, high: 0.3, kind: 'useful' }],
  });
  const tokens = map.tokens.map((token) => ({ ...token, itemEffects: [0.2] }));
  return {
    format: 'nextquill/audit',
    version: 1,
    model: 'embedded',
    modelHash: 'a'.repeat(64),
    prompt: defaultPromptSettings(512),
    seed: 0,
    others: 3,
    matching: { years: { most: 1, median: 1 } },
    itemsShown: { own: 2, others: 2 },
    users: 12,
    texts: 3,
    tokens: 30,
    effects: { total: about(0.3, 0.1), generic: about(0.1, 0.05), userSpecific: about(0.2, 0.1) },
    byUser: [group('Usula Userword', 0.3), group('Ulf Secondname', -0.1, 1)],
    byDomain: [group('Domainword', 0.3), group('Otherdomain', 0.1)],
    dose: [
      { items: 0, texts: 3, effect: about(0, 0) },
      { items: 1, texts: 3, effect: about(0.2, 0.1), added: about(0.2, 0.1) },
      { items: 2, texts: 2, effect: about(0.3, 0.1), added: about(0.1, 0.2) },
    ],
    strength: {
      users: 12,
      texts: 3,
      curve: [0, 0.5, 1, 1.5].map((strength) => ({
        strength,
        nll: about(2 + (strength - 0.8) ** 2, 0.2),
        change: about((strength - 0.8) ** 2 - 0.04, 0.01),
      })),
      best: { ...about(0.8, 0.1), isAtEnd: false },
      parts: [
        {
          name: 'first third',
          users: 12,
          texts: 3,
          tokens: 10,
          best: { ...about(0.7, 0.2), isAtEnd: false },
        },
        { name: 'copied', users: 2, texts: 2, tokens: 10, best: { ...about(0, 0), isAtEnd: true } },
      ],
      byUser: [
        { user: 'Ulf Secondname', texts: 1, best: 0.4 },
        { user: 'Usula Userword', texts: 6, best: 0.9 },
      ],
    },
    where: {
      thirds: ['first third', 'middle third', 'last third'].map((name, i) => ({
        ...group(name, 0.3 - i / 10),
        personalShare: about(0.1, 0.05),
      })),
      personal: {
        level: 0.05,
        tokens: 30,
        nullSize: 90,
        share: about(0.1, 0.05),
        strongest: [
          {
            example: 'example-word-7',
            user: 'Usula Userword',
            position: 0,
            token: 'Textword',
            userSpecific: 1.5,
            adjusted: 0.01,
          },
        ],
      },
    },
    leftOut: {
      withoutHistory: 2,
      historyDoesNotFit: 0,
      othersDoNotFit: 0,
      tooLong: 1,
      first: { withoutHistory: 'n1', tooLong: 'l1' },
    },
    maps: { most: [{ ...map, tokens }], least: [{ ...map, tokens, user: 'Ulf Secondname' }] },
    ...extra,
  };
}
