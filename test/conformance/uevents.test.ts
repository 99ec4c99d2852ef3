import t from 'tap';
import { parseTranscript } from './uevents.js';

t.test('a transcript is read as actions with their messages', async (t) => {
  const text = [
    '--- modprobe mdev -> rc 0 ',
    '=== modprobe mdev (1 events)',
    "RAW b'add@/bus/mdev\\x00ACTION=add\\x00SEQNUM=314\\x00'",
    '    add@/bus/mdev',
    '--- echo vgpu > /sys/x -> rc 0 ',
    '=== echo vgpu > /sys/x (0 events)',
  ].join('\n');
  t.same(parseTranscript(text), [
    { step: 'modprobe mdev', events: [['add@/bus/mdev', 'ACTION=add', 'SEQNUM=314']] },
    { step: 'echo vgpu > /sys/x', events: [] },
  ]);
});
