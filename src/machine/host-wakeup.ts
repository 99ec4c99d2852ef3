/**
 * Wakeup sources (drivers/base/power/wakeup_stats.c) of a host that never sleeps: all counts are 0.
 * @module
 */

import type { Device } from '../base/device.js';
import { AttributeGroup } from '../sysfs/group.js';

const counts = [
  'active_count',
  'event_count',
  'wakeup_count',
  'expire_count',
  'active_time_ms',
  'total_time_ms',
  'max_time_ms',
  'last_change_ms',
  'prevent_suspend_time_ms',
];

export const wakeupGroup = new AttributeGroup<Device>({
  attributes: [
    { name: 'name', mode: 0o444, show: (device) => `${device.parent?.name ?? device.name}\n` },
    ...counts.map((name) => ({ name, mode: 0o444, show: () => '0\n' })),
  ],
});
