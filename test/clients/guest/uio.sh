# Functions of a guest's shell that wait for the interrupt line of a PCI device (uio_pci_generic). The driver masks the
# line in the device's command register whenever it has interrupted, and takes bus mastering away when its file is closed.
# So the file stays open until the end.

# uio_attach DEVICE: prints the name of its file
uio_attach() {
  modprobe uio_pci_generic
  echo uio_pci_generic >"/sys/bus/pci/devices/$1/driver_override"
  echo "$1" >/sys/bus/pci/drivers_probe
  ls "/sys/bus/pci/devices/$1/uio"
}

# uio_detach DEVICE
uio_detach() {
  exec 5<&-
  echo "$1" >/sys/bus/pci/drivers/uio_pci_generic/unbind
}

# uio_listen DEVICE UIO: interrupts are heard from now on
uio_listen() {
  [ -e /proc/$$/fd/5 ] || exec 5<"/dev/$2"
  setpci -s "$1" COMMAND=0:400
}

# uio_heard: waits for an interrupt, and prints how many there have been since the driver was bound
uio_heard() { timeout 20 dd bs=4 count=1 <&5 2>/dev/null | hexdump -ve '1/4 "%d\n"'; }
