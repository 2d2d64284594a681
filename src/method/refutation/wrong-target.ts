/** @file Wrong target: the user's history with a text that another user wrote. */
import { wrongTarget } from '../others/controls.ts';
import { contrast, type RefutationTest } from './refutation-test.ts';
import { HALF, keptWithin } from './verdict.ts';

export const wrongTargetScored: RefutationTest = {
  name: 'wrong-target',
  leaves: 'nothing',
  control: ({ example, own }, { subjects, prompt, seed }) => {
    const target = wrongTarget(
      subjects.map((subject) => subject.example),
      { ...example, history: own },
      seed,
    );
    const other = subjects.find((subject) => subject.example === target);
    if (other === undefined) return undefined;
    const items = Math.min(own.length, other.own.length);
    return contrast(
      prompt(other.example, own.slice(-items)),
      other.others
        .filter(({ user }) => user !== example.user)
        .map(({ history }) => prompt(other.example, history.slice(-items))),
    );
  },
  judge: keptWithin(Number.NEGATIVE_INFINITY, HALF),
};
