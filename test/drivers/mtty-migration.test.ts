import t from 'tap';
import {
  VFIO_DEVICE_FEATURE_GET,
  VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
  VFIO_DEVICE_FEATURE_SET,
  VFIO_MIG_GET_PRECOPY_INFO,
  VfioMigState,
} from '../../src/uapi/vfio-feature.js';
import { VFIO_DEVICE_RESET } from '../../src/uapi/vfio-irq.js';
import { type Opened, openSample, outcome, words } from './opened.js';

const { STOP, RUNNING, STOP_COPY, RESUMING, PRE_COPY, PRE_COPY_P2P } = VfioMigState;
const VFIO_DEVICE_FEATURE = 0x3b75;

/** The descriptor of the data, -1 for none. */
function setState(device: Opened, state: number): number {
  const request = words(16, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, state, 99);
  device.ioctl(VFIO_DEVICE_FEATURE, request);
  return request.readInt32LE(12);
}

function getState(device: Opened): number {
  const request = words(16, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, 0, 0);
  device.ioctl(VFIO_DEVICE_FEATURE, request);
  return request.readUInt32LE(8);
}

const readAll = (device: Opened, fd: number) => Buffer.from(device.process.read(fd, 4096));

/** The stream of a device whose port was used. */
function saved(): Buffer {
  const device = openSample('mtty-1');
  device.write('5a', 7);
  device.write('41', 0);
  return readAll(device, setState(device, STOP_COPY));
}

t.test('a stopped device gives its header and its ports, once', async (t) => {
  const device = openSample('mtty-1');
  const data = setState(device, STOP_COPY);
  t.equal(device.process.fdPath(data), 'anon_inode:mtty_mig');
  t.equal(
    readAll(device, data).toString('hex'),
    '4e2c3e8c89099d7e010000000000000001000000000000000000000000000000000000000000000000000000000000000000' +
      '00000000000000100000',
    'as recorded',
  );
  t.equal(readAll(device, data).length, 0);
  t.equal(
    outcome(() => device.process.write(data, Buffer.from('x'))),
    'EBADF',
  );
  t.equal(getState(device), STOP_COPY);
});

t.test('a running device gives the header, and the ports when it stops', async (t) => {
  const device = openSample('mtty-2');
  const data = setState(device, PRE_COPY);
  const info = Buffer.concat([words(24, 0), Buffer.alloc(16)]);
  device.process.ioctl(data, VFIO_MIG_GET_PRECOPY_INFO, info);
  t.equal(info.readBigUInt64LE(8), 24n);
  t.equal(device.process.read(data, 20).length, 20);
  device.process.ioctl(data, VFIO_MIG_GET_PRECOPY_INFO, info);
  t.equal(info.readBigUInt64LE(8), 4n);
  t.equal(readAll(device, data).length, 4);
  t.equal(setState(device, STOP_COPY), -1, 'the same file goes on');
  t.equal(
    outcome(() => device.process.ioctl(data, VFIO_MIG_GET_PRECOPY_INFO, info)),
    'EINVAL',
  );
  t.equal(readAll(device, data).length, 72);
  t.equal(
    outcome(() => setState(device, PRE_COPY_P2P)),
    'EINVAL',
  );
});

t.test('another device resumes from the stream', async (t) => {
  const stream = saved();
  const device = openSample('mtty-1');
  const data = setState(device, RESUMING);
  t.equal(
    outcome(() => device.process.read(data, 1)),
    'EBADF',
  );
  t.equal(device.process.write(data, stream.subarray(0, 30)), 30);
  t.equal(
    outcome(() => setState(device, RUNNING)),
    'EINVAL',
    'the stream is not complete',
  );
  t.equal(getState(device), RESUMING);
  device.process.write(data, stream.subarray(30));
  t.equal(
    outcome(() => device.process.write(data, Buffer.alloc(1))),
    'ENOMEM',
  );
  t.equal(setState(device, RUNNING), -1);
  t.strictSame([device.read(1, 7), device.read(1, 0)], ['5a', '41']);
});

t.test('the header of another kind of device is EFAULT, in whatever pieces it comes', async (t) => {
  const stream = saved();
  const device = openSample('mtty-2');
  const data = setState(device, RESUMING);
  t.equal(device.process.write(data, stream.subarray(0, 23)), 23);
  t.equal(
    outcome(() => device.process.write(data, stream.subarray(23))),
    'EFAULT',
    'one port is not two',
  );
});

t.test('when the device has gone on, its file is ENODEV; a reset lets it run', async (t) => {
  const device = openSample('mtty-1');
  const data = setState(device, STOP_COPY);
  device.ioctl(VFIO_DEVICE_RESET);
  t.equal(getState(device), RUNNING);
  t.equal(
    outcome(() => device.process.read(data, 1)),
    'ENODEV',
  );
  const other = setState(device, STOP_COPY);
  setState(device, STOP);
  t.equal(
    outcome(() => device.process.read(other, 1)),
    'ENODEV',
  );
  device.process.close(data);
  device.process.close(other);
});

t.test('the state survives closing the device, its files do not', async (t) => {
  const device = openSample('mtty-1');
  const data = setState(device, STOP_COPY);
  device.reopen();
  t.equal(getState(device), STOP_COPY);
  t.equal(
    outcome(() => device.process.read(data, 1)),
    'ENODEV',
  );
  t.equal(setState(device, RUNNING), -1);
});
