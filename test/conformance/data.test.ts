import { createHash } from 'node:crypto';
import t from 'tap';
import { decodeBytes, sameBytes, showBytes } from './data.js';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

t.test('text and hexadecimal decode to their bytes', async (t) => {
  t.same(decodeBytes({ s: 'add\n' }), Buffer.from('add\n'));
  t.same(decodeBytes({ hex: '310a00', len: 3 }), Buffer.from([0x31, 0x0a, 0]));
  t.same(decodeBytes({ s: '' }), Buffer.alloc(0));
});

t.test('cut data is grown again when the digest proves how', async (t) => {
  const wholes = [
    Buffer.alloc(5000, 'a'),
    Buffer.concat([Buffer.from('1'), Buffer.alloc(4999, ' ')]),
    Buffer.concat([Buffer.alloc(4095, '0'), Buffer.from('1')]),
    Buffer.alloc(4096, 'ab'),
  ];
  for (const whole of wholes) {
    const form = { s: whole.toString('latin1', 0, 64), truncated_total: whole.length, sha256: sha256(whole) };
    t.same(decodeBytes(form), whole);
  }
});

t.test('cut data whose rest cannot be guessed is refused', async (t) => {
  const whole = Buffer.concat([Buffer.alloc(64, 'a'), Buffer.from('something else')]);
  const form = { s: 'a'.repeat(64), truncated_total: whole.length, sha256: sha256(whole) };
  t.throws(() => decodeBytes(form), { message: /78 bytes, of which 64/ });
});

t.test('bytes are compared as far as they were written down', async (t) => {
  const whole = Buffer.alloc(4096);
  const form = { hex: '00'.repeat(64), len: 64, truncated_total: 4096, sha256: sha256(whole) };
  t.equal(sameBytes(form, whole), true);
  whole[4000] = 1;
  t.equal(sameBytes(form, whole), false, 'the digest covers what was cut');
  t.equal(sameBytes({ s: '1\n' }, Buffer.from('1\n')), true);
  t.equal(sameBytes({ s: '1\n' }, Buffer.from('1')), false);
  t.equal(sameBytes({ s: '1' }, Buffer.from('1\n')), false);
});

t.test('bytes are shown as text where they are text', async (t) => {
  t.equal(showBytes(Buffer.from('24\n')), '24\n');
  t.equal(showBytes(Buffer.from([0, 255])), 'hex 00ff');
  t.equal(showBytes(Buffer.alloc(100, 'x'), 4), 'xxxx... (100 bytes)');
});
