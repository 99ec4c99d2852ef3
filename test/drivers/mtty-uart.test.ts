import t from 'tap';
import { MttyUart } from '../../src/drivers/mtty-uart.js';

const [RX, IER, FCR, LCR, MCR, LSR, MSR, SCR] = [0, 1, 2, 3, 4, 5, 6, 7];
const IIR = FCR;

/** A port, and how often it wanted the interrupt since that was asked last. */
function port() {
  let interrupts = 0;
  const uart = new MttyUart(() => interrupts++);
  const taken = () => {
    const count = interrupts;
    interrupts = 0;
    return count;
  };
  return { uart, taken };
}

t.test('what is sent is received, in order', async (t) => {
  const { uart } = port();
  t.equal(uart.read(LSR), 0x60, 'nothing there');
  for (const byte of [104, 101, 108]) uart.write(RX, byte);
  t.equal(uart.read(LSR), 0x01);
  t.strictSame([uart.read(RX), uart.read(RX), uart.read(RX), uart.read(RX)], [104, 101, 108, 0]);
  t.equal(uart.read(LSR), 0x60);
});

t.test('with 16 bytes in it, the FIFO passes for empty, and nothing can be read', async (t) => {
  const { uart } = port();
  for (let n = 0; n < 16; n++) uart.write(RX, n + 1);
  t.equal(uart.read(LSR), 0x60);
  t.equal(uart.read(RX), 0);
  uart.write(RX, 99);
  t.equal(uart.read(LSR), 0x62, 'the seventeenth byte is an overrun');
  uart.write(FCR, 0x07);
  t.equal(uart.read(LSR), 0x62, 'clearing the FIFO leaves the overrun');
  uart.write(RX, 7);
  t.equal(uart.read(LSR), 0x01, 'the next byte that fits ends it');
  t.equal(uart.read(RX), 7);
});

t.test('without the FIFO there is room for one byte', async (t) => {
  const { uart } = port();
  uart.write(FCR, 0);
  uart.write(RX, 1);
  uart.write(RX, 2);
  t.equal(uart.read(LSR), 0x03);
  t.equal(uart.read(RX), 1);
});

t.test(
  'the divisor is behind the first two registers while DLAB is set; setting it clears the divisor',
  async (t) => {
    const { uart } = port();
    uart.write(IER, 5);
    uart.write(LCR, 0x83);
    uart.write(RX, 0x0c);
    uart.write(RX, 0x30);
    uart.write(IER, 0x01);
    t.strictSame([uart.read(RX), uart.read(IER)], [0x3c, 0x01], 'values are or-ed');
    uart.write(LCR, 0x03);
    t.equal(uart.read(IER), 5);
    uart.write(LCR, 0x83);
    t.strictSame([uart.read(RX), uart.read(IER)], [0, 0]);
  },
);

t.test('the trigger level is 0 until the FIFO control register is written, 1 ever after', async (t) => {
  const { uart, taken } = port();
  uart.write(IER, 1);
  uart.write(RX, 1);
  t.equal(taken(), 0);
  t.equal(uart.read(IIR), 0xc4, 'the level of 0 is reached nevertheless');
  uart.write(FCR, 0xc7);
  t.equal(uart.read(IIR), 0xc1);
  uart.write(RX, 1);
  t.equal(taken(), 1);
  uart.write(RX, 2);
  t.equal(taken(), 0, 'only when the level is reached');
});

t.test('every cause interrupts only while it is enabled', async (t) => {
  const { uart, taken } = port();
  uart.write(MCR, 0x0b);
  t.equal(taken(), 0);
  uart.write(IER, 2);
  t.equal(taken(), 1, 'enabling the transmitter interrupt with nothing to send');
  uart.write(RX, 1);
  uart.read(RX);
  t.equal(taken(), 1, 'the last byte was read');
  uart.read(RX);
  t.equal(taken(), 1, 'also when there was none');
  uart.write(IER, 8);
  uart.write(MCR, 0x03);
  t.equal(taken(), 1);
  uart.write(MCR, 0x0b);
  t.equal(taken(), 2, 'OUT2 and the modem lines each for themselves');
  uart.write(IER, 4);
  for (let n = 0; n < 17; n++) uart.write(RX, n);
  t.equal(taken(), 1, 'the overrun');
  t.equal(uart.read(IIR), 0xc6);
});

t.test('the modem is ready, unless flow control is on and the FIFO is full', async (t) => {
  const { uart } = port();
  t.equal(uart.read(MSR), 0xb3);
  uart.write(MCR, 0x20);
  t.equal(uart.read(MSR), 0xb3);
  for (let n = 0; n < 16; n++) uart.write(RX, n);
  t.equal(uart.read(MSR), 0xa2);
});

t.test(
  'line and modem status are read-only, the scratch register is memory, there is no ninth',
  async (t) => {
    const { uart } = port();
    uart.write(LSR, 0xff);
    uart.write(MSR, 0xff);
    uart.write(SCR, 0x5a);
    uart.write(8, 0xff);
    t.strictSame(
      [LSR, MSR, SCR, 8].map((register) => uart.read(register)),
      [0x60, 0xb3, 0x5a, 0],
    );
  },
);

t.test('a port that is loaded with what another one saved is like it', async (t) => {
  const { uart } = port();
  uart.write(LCR, 0x80);
  uart.write(RX, 0x21);
  uart.write(LCR, 0x03);
  uart.write(IER, 5);
  uart.write(SCR, 9);
  for (const byte of [1, 2, 3]) uart.write(RX, byte);
  uart.read(RX);
  const state = uart.save();
  t.equal(state.length, 36);
  const other = port().uart;
  other.load(state);
  t.equal(other.save().toString('hex'), state.toString('hex'));
  t.strictSame([other.read(RX), other.read(RX), other.read(LSR)], [2, 3, 0x60]);
});
