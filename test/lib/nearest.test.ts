import t from 'tap';
import { didYouMean, nearest } from '../../src/lib/nearest.js';

t.test('the nearest name is within a third of the word, or one change', async (t) => {
  const names = ['read', 'write', 'remove', 'EIO', 'VFIO_DEVICE_RESET'];
  const cases: [string, string | undefined][] = [
    ['reed', 'read'],
    ['rea', 'read'],
    ['reads', 'read'],
    ['raed', 'read'],
    ['wirte', 'write'],
    ['READ', 'read'],
    ['eio', 'EIO'],
    ['ready!', 'read'],
    ['VFIO_RESET', undefined],
    ['VFIO_DEVIC_REST', 'VFIO_DEVICE_RESET'],
    ['xx', undefined],
    ['', undefined],
  ];
  for (const [word, name] of cases) t.equal(nearest(word, names), name, word);
});

t.test('of two that are as near, the first is meant', async (t) => {
  t.equal(nearest('nvidia-t5', ['nvidia-t4', 'nvidia-t6']), 'nvidia-t4');
  t.equal(didYouMean('nvidia-t5', ['nvidia-t4', 'nvidia-t6']), ' (did you mean "nvidia-t4"?)');
  t.equal(didYouMean('nvidia-t5', []), '');
});
