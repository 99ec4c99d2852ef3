/**
 * A machine that has come up with its hardware becomes what users had made of the one before. The order is that in which
 * each thing finds what it needs: hardware, modules, cards that come with modules, drivers, virtual functions, mediated
 * devices. Rules of fault injection come last: they were about what happened after all that.
 * @module
 */

import { KernelError } from '../lib/errno.js';
import { asleep, eachInTurn, type Sleeps } from '../lib/sleep.js';
import { virtualAddress } from '../pci/sriov-function.js';
import { type Fixture, FixtureError } from './fixture.js';
import { bringUp } from './bring-up.js';
import { type Host, override } from './host.js';
import type { Machine } from './machine.js';
import { type MdevFixture, PutBackError, putBack } from './put-back.js';
import type { MachineState } from './state.js';
import { putBackBindings } from './state-binding.js';

/** @throws PutBackError naming what cannot be put back */
export function putBackState(machine: Machine, fixture: Fixture, state: MachineState): void {
  const { host } = machine;
  const { hotplug, bindings, faults, modules, mdevs } = state;
  const modprobe = (entry: Fixture['modules'][number]) => {
    const name = typeof entry === 'string' ? entry : entry.name;
    attempt(
      () => `module ${name}`,
      () => machine.loadModule(entry),
    );
  };
  // Functions as the fixture has them, where the state does not say how they are.
  const asBooted = { ...fixture, faults: [], modules: [], mdevs: [] };
  const steps: (() => Sleeps<void>)[] = [
    () =>
      hotplug &&
      attempt(
        () => 'what was plugged in',
        () => machine.hotplug.putBack(hotplug, (plugged) => withApMasks(plugged, state)),
      ),
    () => {
      for (const [address, numbers] of Object.entries(bindings?.vfio ?? {}))
        host.pciHost?.vfioNumbers.set(address, numbers);
      modules.forEach(modprobe);
    },
    () => machine.hotplug.empty(hotplug?.empty ?? []),
    () => (bindings ? rebind(machine, host, bindings) : bringUp(machine, asBooted, (_what, step) => step())),
    () =>
      eachInTurn(mdevs, (mdev) =>
        attempt(
          () => reason(machine, mdev),
          () => putBack(machine, mdev),
        ),
      ),
  ];
  // Nothing sleeps while nobody uses the machine and no rule is in force.
  if (asleep(eachInTurn(steps, (step) => step())))
    throw new Error('a state that takes its time to be put back');
  override(machine.core, overridesLeft(machine, host, fixture, state));
  if (faults) machine.faults.putBack(faults);
  else for (const rule of fixture.faults) machine.faults.add(rule);
}

function rebind(machine: Machine, host: Host, bindings: NonNullable<MachineState['bindings']>): Sleeps<void> {
  return putBackBindings(host, bindings, (what, { code }) =>
    machine.core.log.print(`mdevfs: state: ${what}: ${code}`),
  );
}

/** A fixture whose host keeps the AP queues that it kept; modules and devices depend on it. */
export function withApMasks<T extends Pick<Fixture, 'ap'>>(fixture: T, { ap }: Pick<MachineState, 'ap'>): T {
  return fixture.ap && ap ? { ...fixture, ap: { ...fixture.ap, ...ap } } : fixture;
}

/** Does a step that does not sleep. @param what it is about, and why that may be */
function attempt(what: () => string, step: () => Sleeps<void>): Sleeps<void> {
  try {
    return step();
  } catch (error) {
    if (error instanceof FixtureError) throw new PutBackError(`${what()}: ${error.faults[0]}`);
    if (!(error instanceof KernelError)) throw error;
    throw new PutBackError(`${what()}: ${error.code}`);
  }
}

/** Which device it is, and what of its place is not there. */
function reason(machine: Machine, { uuid, parent, type }: MdevFixture): string {
  const process = machine.process();
  const dir = `/sys/class/mdev_bus/${parent}`;
  const what = `device ${uuid} of type ${type} on parent ${parent}`;
  if (!process.exists(dir)) return `${what}: there is no such parent`;
  return process.exists(`${dir}/mdev_supported_types/${type}`)
    ? what
    : `${what}: the parent has no such type`;
}

/** Overrides of a fixture, but for those of what has gone. */
function overridesLeft(
  machine: Machine,
  host: Host,
  { overrides, ...fixture }: Fixture,
  state: MachineState,
): Fixture['overrides'] {
  const gone = new Set<string>([...(state.hotplug?.absent ?? []), ...(state.hotplug?.empty ?? [])]);
  const kept = new Set(state.mdevs.map(({ uuid }) => uuid.toLowerCase()));
  for (const { uuid } of fixture.mdevs) if (!kept.has(uuid.toLowerCase())) gone.add(uuid.toLowerCase());
  for (const { address, sriov } of fixture.pci?.functions ?? []) {
    const now = host.pci?.device(address)?.sriov;
    for (let index = now?.numVfs ?? 0; now && index < (sriov?.numVfs ?? 0); index++)
      gone.add(virtualAddress(now, index));
  }
  const isUnloaded = (name: string) => machine.defines(name) && !machine.loader.loaded.includes(name);
  const isLeft = (path: string) => {
    const [, , top, ...names] = path.split('/');
    return top === 'module' ? !isUnloaded(names[0]!) : !names.some((name) => gone.has(name));
  };
  return Object.fromEntries(Object.entries(overrides).filter(([path]) => isLeft(path)));
}
