/**
 * systemd-udevd in a session under `mdevfs run`, and monitors of what it and the kernel say.
 * @module
 */

import { main } from '../mount/command.js';
import type { Session } from './session.js';

/** Tenths of a second; long enough for a busy machine. */
const PATIENCE = 300;

/**
 * Starts systemd-udevd. The session must have its own mount, network and PID namespaces, and its own /run.
 *
 * udevd makes links and sets owners in /dev, and loads modules for what it hears of, so it gets a /dev of its own and
 * none of the rules for modules. It would also kill whatever is in its cgroup if process 1 were its parent.
 * @param rules further rules, for a file of their own
 */
export async function startUdevd(session: Session, rules = ''): Promise<void> {
  const script = `
    mkdir -p /run/dev /run/udev/rules.d && mount -t tmpfs -o mode=755 none /run/dev || exit
    for node in null zero full random urandom; do
      : > /run/dev/$node && mount --bind /dev/$node /run/dev/$node || exit
    done
    ln -s /proc/self/fd /run/dev/fd && ln -s fd/0 /run/dev/stdin && mount --rbind /run/dev /dev || exit
    ln -sf /dev/null /run/udev/rules.d/80-drivers.rules
    cat > /run/udev/rules.d/99-test.rules <<'END'
${rules}
END
    ( /lib/systemd/systemd-udevd --daemon; : )
    udevadm control --ping`;
  const { status, stderr } = await session.run(script);
  if (status !== 0) throw new Error(`systemd-udevd did not start: ${stderr}`);
}

/** What is said of one event. */
export interface Said {
  source: string;
  /** What follows the time. */
  line: string;
  /** With `--property`, in alphabetical order. */
  env: string[];
}

/** A monitor of both sources, as a program of the session. */
export class Monitor {
  static #count = 0;

  private constructor(
    readonly session: Session,
    readonly file: string,
    readonly pid: string,
  ) {}

  static udevadm(session: Session, options = ''): Promise<Monitor> {
    return Monitor.start(session, `udevadm monitor ${options}`);
  }

  static mdevfs(session: Session, options = ''): Promise<Monitor> {
    return Monitor.start(session, `${process.execPath} ${main} monitor ${options}`);
  }

  /** Starts a program and waits until it prints what both sources say. */
  static async start(session: Session, command: string): Promise<Monitor> {
    const file = `/run/monitor-${Monitor.#count++}`;
    const { stdout } = await session.run(`${command} > ${file} 2> ${file}.err & echo $!`);
    const monitor = new Monitor(session, file, stdout.trim());
    await monitor.hears('/bus/mdev');
    return monitor;
  }

  /** Waits until both sources have told of a change of something that nothing else changes. */
  async hears(devpath: string): Promise<void> {
    const { file } = this;
    const { status } = await this.session.run(`
      for try in $(seq ${PATIENCE}); do
        echo change > /sys${devpath}/uevent; sleep 0.1
        grep -aq 'KERNEL.*${devpath} ' ${file} && grep -aq 'UDEV.*${devpath} ' ${file} && break
      done; grep -aq 'UDEV.*${devpath} ' ${file}`);
    if (status !== 0) throw new Error(await this.session.output(`cat ${file} ${file}.err`));
  }

  /** Everything so far, as printed. */
  async text(): Promise<string> {
    await this.hears('/module/vfio');
    return this.session.output(`kill ${this.pid}; wait ${this.pid} 2> /dev/null; cat ${this.file}`);
  }
}

/**
 * What a monitor printed of emulated devices. A network namespace that belongs to root of the machine hears the machine's
 * own events too, such as those of mounts.
 */
export function saidIn(text: string): Said[] {
  const events =
    /^(KERNEL|UDEV {2})\[\d+\.\d{6}\] (.* \/devices\/(?:pci0000:c0|virtual\/vfio)\/.*)\n((?:[A-Z_]+=.*\n)*)/gm;
  return [...text.matchAll(events)].map(([, source, line, env]) => ({
    source: source!.trim(),
    line: line!,
    env: env!.trimEnd().split('\n').sort(),
  }));
}

export const from = (source: string, said: readonly Said[]): string[] =>
  said.filter((one) => one.source === source).map(({ line }) => line);
