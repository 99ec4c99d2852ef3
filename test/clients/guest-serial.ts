/**
 * What a guest does with a PCI serial card whose lines are wired to themselves, by its kernel's driver (8250_pci).
 * @module
 */

import type { Test } from 'tap';
import type { Guest } from './guest.js';

/** Each fits into the FIFO of a port, and leaves room: the mtty card loses what fills its FIFO. */
const TEXTS = ['a', 'hello', '0123456789abcde', 'x\ty z'];

/** @param device address of the card in the guest */
export async function serialPortsWork(
  t: Test,
  guest: Pick<Guest, 'output'>,
  device: string,
  ports: number,
): Promise<void> {
  const ttys = (await guest.output(`ttys ${device}`)).split('\n').slice(0, -1);
  t.match(
    ttys,
    Array.from({ length: ports }, () => /^ttyS\d+$/),
    'the driver has found the ports',
  );
  t.equal(ttys.length, ports);
  for (const tty of ttys) {
    for (const text of TEXTS) {
      const script = `
        before=$(interrupts ${device})
        tty_echo ${tty} '${text}'
        echo "|$(($(interrupts ${device}) > before))"`;
      t.equal(await guest.output(script), `${text}|1\n`, `${tty} gives back ${JSON.stringify(text)}`);
    }
  }
}
