/**
 * A port of the mtty card: a 16550 whose transmitter is wired to its receiver (samples/vfio-mdev/mtty.c
 * `handle_bar_write`, `handle_bar_read`; data sheet: PC16550D).
 *
 * Modelled with its peculiarities: what was sent is received at once; the FIFO is empty when its two pointers
 * meet, so also with 16 bytes in it, which then cannot be read; the trigger level is 0 until the FIFO control register
 * is written and 1 ever after; halves of the divisor are or-ed to what is there.
 * @module
 */

export const UART_REGISTERS = 8;
const FIFO_SIZE = 16;

const RX = 0;
const TX = 0;
const IER = 1;
const IIR = 2;
const FCR = 2;
const LCR = 3;
const MCR = 4;
const LSR = 5;
const MSR = 6;
const SCR = 7;

const IER_RDI = 0x01;
const IER_THRI = 0x02;
const IER_RLSI = 0x04;
const IER_MSI = 0x08;
const IIR_NO_INT = 0x01;
const IIR_THRI = 0x02;
const IIR_RDI = 0x04;
const IIR_RLSI = 0x06;
const IIR_FIFO_ENABLED = 0xc0;
const FCR_ENABLE_FIFO = 0x01;
const FCR_CLEAR = 0x06;
const LCR_DLAB = 0x80;
const MCR_DTR_RTS = 0x03;
const MCR_OUT2 = 0x08;
const MCR_AFE = 0x20;
const LSR_DR = 0x01;
const LSR_OE = 0x02;
const LSR_EMPTY = 0x60;
const MSR_CTS = 0x11;
const MSR_ALWAYS = 0xa2;

/** struct serial_port: where its fields are in the stream of a migration. */
export const PORT_STATE_SIZE = 36;
const STATE = {
  fifo: 8,
  head: 24,
  tail: 25,
  count: 26,
  dlab: 27,
  overrun: 28,
  divisor: 30,
  fcr: 32,
  fifoSize: 33,
  triggerLevel: 34,
} as const;

export class MttyUart {
  #registers = Buffer.alloc(UART_REGISTERS);
  #fifo = Buffer.alloc(FIFO_SIZE);
  #head = 0;
  #tail = 0;
  #count = 0;
  #dlab = false;
  #overrun = false;
  #divisor = 0;
  #fcr = 0;
  #fifoSize = FIFO_SIZE;
  #triggerLevel = 0;

  /** @param interrupt called whenever the port wants the card's interrupt */
  constructor(readonly interrupt: () => void) {}

  get #empty(): boolean {
    return this.#head === this.#tail;
  }

  /** @param register any number; there is nothing behind those beyond the eighth */
  write(register: number, value: number): void {
    switch (register) {
      case TX:
        if (this.#dlab) this.#divisor |= value;
        else this.#transmit(value);
        break;
      case IER:
        if (this.#dlab) {
          this.#divisor |= value << 8;
          break;
        }
        this.#registers[IER] = value;
        if (value & IER_THRI && this.#empty) this.interrupt();
        break;
      case FCR:
        this.#controlFifo(value);
        break;
      case LCR:
        this.#dlab = (value & LCR_DLAB) !== 0;
        if (this.#dlab) this.#divisor = 0;
        this.#registers[LCR] = value;
        break;
      case MCR:
        this.#registers[MCR] = value;
        // Both causes interrupt, each for itself.
        if (this.#enabled(IER_MSI) && value & MCR_OUT2) this.interrupt();
        if (this.#enabled(IER_MSI) && value & MCR_DTR_RTS) this.interrupt();
        break;
      case SCR:
        this.#registers[SCR] = value;
        break;
    }
  }

  read(register: number): number {
    switch (register) {
      case RX:
        return this.#dlab ? this.#divisor & 0xff : this.#receive();
      case IER:
        return this.#dlab ? this.#divisor >> 8 : this.#registers[IER]! & 0x0f;
      case IIR:
        return this.#interruptIdentification();
      case LSR:
        return (this.#empty ? LSR_EMPTY : LSR_DR) | (this.#overrun ? LSR_OE : 0);
      case MSR: {
        // With automatic flow control, clear to send means room in the FIFO.
        const clear = !(this.#registers[MCR]! & MCR_AFE) || this.#count < this.#fifoSize;
        return MSR_ALWAYS | (clear ? MSR_CTS : 0);
      }
      case LCR:
      case MCR:
      case SCR:
        return this.#registers[register]!;
      default:
        return 0;
    }
  }

  #enabled(interrupts: number): boolean {
    return (this.#registers[IER]! & interrupts) !== 0;
  }

  #transmit(value: number): void {
    if (this.#count >= this.#fifoSize) {
      this.#overrun = true;
      if (this.#enabled(IER_RLSI)) this.interrupt();
      return;
    }
    this.#fifo[this.#head] = value;
    this.#count++;
    this.#head = (this.#head + 1) % FIFO_SIZE;
    this.#overrun = false;
    if (this.#enabled(IER_RDI) && this.#count === this.#triggerLevel) this.interrupt();
  }

  #receive(): number {
    let value = 0;
    if (!this.#empty) {
      value = this.#fifo[this.#tail]!;
      this.#count--;
      this.#tail = (this.#tail + 1) % FIFO_SIZE;
    }
    if (this.#empty && this.#enabled(IER_THRI)) this.interrupt();
    return value;
  }

  #controlFifo(value: number): void {
    this.#fcr = value;
    if (value & FCR_CLEAR) {
      this.#count = 0;
      this.#head = 0;
      this.#tail = 0;
    }
    this.#triggerLevel = 1;
    this.#fifoSize = value & FCR_ENABLE_FIFO ? FIFO_SIZE : 1;
  }

  /** Causes that are pending are or-ed; a change of the modem's lines has no bit of its own. */
  #interruptIdentification(): number {
    let causes = 0;
    if (this.#enabled(IER_RLSI) && this.#overrun) causes |= IIR_RLSI;
    if (this.#enabled(IER_RDI) && this.#count >= this.#triggerLevel) causes |= IIR_RDI;
    if (this.#enabled(IER_THRI) && this.#empty) causes |= IIR_THRI;
    return (causes || IIR_NO_INT) | IIR_FIFO_ENABLED;
  }

  /** The port as a migration carries it. */
  save(): Buffer {
    const bytes = Buffer.alloc(PORT_STATE_SIZE);
    this.#registers.copy(bytes);
    this.#fifo.copy(bytes, STATE.fifo);
    bytes[STATE.head] = this.#head;
    bytes[STATE.tail] = this.#tail;
    bytes[STATE.count] = this.#count;
    bytes[STATE.dlab] = Number(this.#dlab);
    bytes[STATE.overrun] = Number(this.#overrun);
    bytes.writeUInt16LE(this.#divisor, STATE.divisor);
    bytes[STATE.fcr] = this.#fcr;
    bytes[STATE.fifoSize] = this.#fifoSize;
    bytes[STATE.triggerLevel] = this.#triggerLevel;
    return bytes;
  }

  /** @param bytes from {@link save}, or from anybody: what lies beyond the FIFO wraps around */
  load(bytes: Buffer): void {
    bytes.copy(this.#registers, 0, 0, UART_REGISTERS);
    bytes.copy(this.#fifo, 0, STATE.fifo, STATE.fifo + FIFO_SIZE);
    this.#head = bytes[STATE.head]! % FIFO_SIZE;
    this.#tail = bytes[STATE.tail]! % FIFO_SIZE;
    this.#count = bytes[STATE.count]!;
    this.#dlab = bytes[STATE.dlab] !== 0;
    this.#overrun = bytes[STATE.overrun] !== 0;
    this.#divisor = bytes.readUInt16LE(STATE.divisor);
    this.#fcr = bytes[STATE.fcr]!;
    this.#fifoSize = bytes[STATE.fifoSize]!;
    this.#triggerLevel = bytes[STATE.triggerLevel]!;
  }
}
