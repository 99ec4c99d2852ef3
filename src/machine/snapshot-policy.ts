/**
 * By which rule a vendor driver counts its devices. A tree shows how many there can be, not by which rule: the rules are
 * tried in turn, and the first that would show the same numbers is taken. Counting each type by itself always does.
 * @module
 */

import type { VgpuPolicy, VgpuTypeData } from '../drivers/vgpu-data.js';
import { OneType, type VgpuCount, vgpuCount } from '../drivers/vgpu-policy.js';

/** A type of one parent. */
export interface Offer {
  parent: string;
  /** The function that the parent is a virtual one of, or the parent itself. */
  gpu: string;
  name: string;
  prettyName: string | undefined;
  description: string | undefined;
  available: number;
  /** Directories of the devices that there are of it. */
  devices: string[];
}

export interface Rule {
  policy: VgpuPolicy;
  /** What a type may have, for rules that say it of each. */
  instances?: (offer: Offer) => number;
}

/** Values that have the same key together, in order of their first. */
export function byKey<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    groups.set(key, [...(groups.get(key) ?? []), value]);
  }
  return groups;
}

export function ruleOf(driver: string, offers: readonly Offer[]): Rule {
  const perType: Rule = {
    policy: { rule: 'perType' },
    instances: ({ available, devices }) => available + devices.length,
  };
  const isVirtual = offers.every(({ gpu, parent }) => gpu !== parent);
  const rules = [
    ...(isVirtual ? [onePerFunctionRule(offers)] : []),
    ...(driver === 'nvidia' ? [oneTypeRule(offers)] : []),
    sharedRule(offers),
    perType,
  ];
  return rules.find((rule) => rule && shows(rule, offers)) ?? perType;
}

/** One counter for all types: every type of a parent shows the same, and devices take from it. */
function sharedRule(offers: readonly Offer[]): Rule | undefined {
  const instances = new Set<number>();
  for (const ofParent of byKey(offers, ({ parent }) => parent).values()) {
    const used = ofParent.reduce((sum, { devices }) => sum + devices.length, 0);
    for (const { available } of ofParent) instances.add(available + used);
  }
  const [first = 0] = instances;
  const several = new Set(offers.map(({ name }) => name)).size > 1;
  return instances.size === 1 && first > 0 && several
    ? { policy: { rule: 'shared', instances: first } }
    : undefined;
}

/** `max_instance` of NVIDIA's descriptions. */
const described = ({ description }: Offer) => Number(/max_instance=(\d+)/.exec(description ?? '')?.[1] ?? 0);

/** NVIDIA's time-sliced types: what a parent without devices shows, or what the description says. */
function oneTypeRule(offers: readonly Offer[]): Rule {
  const most = new Map<string, number>();
  for (const offer of offers) {
    const { name, available, devices } = offer;
    const shown = available + devices.length;
    most.set(name, Math.max(most.get(name) ?? 0, shown, available === 0 ? described(offer) : 0));
  }
  return { policy: { rule: 'oneTypePerGpu' }, instances: ({ name }) => most.get(name) ?? 0 };
}

/** The same on virtual functions: what the description says, or one on each. */
function onePerFunctionRule(offers: readonly Offer[]): Rule {
  const parents = new Set(offers.map(({ parent }) => parent)).size;
  return { policy: { rule: 'onePerFunction' }, instances: (offer) => described(offer) || parents };
}

/** Whether a machine with this rule and these devices shows the numbers of the tree. */
function shows({ policy, instances }: Rule, offers: readonly Offer[]): boolean {
  if (policy.rule === 'shared') return true;
  const gpus = new Map<string, VgpuCount>();
  const counts = new Map<string, VgpuCount>();
  const types = new Map<string, VgpuTypeData>();
  for (const { parent, gpu } of offers) {
    if (!gpus.has(gpu)) gpus.set(gpu, new OneType());
    if (!counts.has(parent)) counts.set(parent, vgpuCount(policy, () => gpus.get(gpu)!)!);
  }
  // Parents of one GPU count the same type.
  const typeOf = (offer: Offer): VgpuTypeData => {
    const key = `${offer.name} ${instances?.(offer)}`;
    const { name } = offer;
    const type =
      types.get(key) ??
      ({
        name,
        instances: instances?.(offer),
        needs: {},
        attributes: {},
        typeAttributes: {},
      } as VgpuTypeData);
    types.set(key, type);
    return type;
  };
  try {
    for (const offer of offers) {
      for (const _ of offer.devices) counts.get(offer.parent)!.take(typeOf(offer));
    }
  } catch {
    return false;
  }
  return offers.every((offer) => counts.get(offer.parent)!.available(typeOf(offer)) === offer.available);
}
