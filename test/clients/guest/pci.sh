# Functions of a guest's shell for PCI devices. A device is named by its address, 0000:00:03.0.
# Memory and registers are read and written by devmem, in accesses of the width that is asked for.

# pci_find VENDOR:DEVICE: addresses of the devices that have these ids
pci_find() {
  for device in /sys/bus/pci/devices/*; do
    read -r vendor <"$device/vendor" && read -r id <"$device/device"
    [ "${vendor#0x}:${id#0x}" != "$1" ] || echo "${device##*/}"
  done
}

# pci_bar DEVICE INDEX: where the bus has the device's base address
pci_bar() {
  sed -n "$(($2 + 1))s/ .*//p" "/sys/bus/pci/devices/$1/resource"
}

# pci_start DEVICE: lets it answer and access memory, without a driver
pci_start() {
  echo 1 >"/sys/bus/pci/devices/$1/enable" && setpci -s "$1" COMMAND=407:407
}

# pci_msi DEVICE ADDRESS DATA: has it write these 16 bits of data there for an interrupt. An MSI is but a write to memory,
# so with an address in memory it can be seen without a driver. Asks for a capability with 64-bit addresses.
pci_msi() {
  setpci -s "$1" "CAP_MSI+4.L=$(printf %x "$2")" "CAP_MSI+8.L=0" "CAP_MSI+c.W=$(printf %x "$3")" CAP_MSI+2.W=1:1
}

# peek ADDRESS [WIDTH], poke ADDRESS VALUE [WIDTH]: memory or registers, 32 bits if nothing is said
peek() { devmem "$(($1))" "${2:-32}"; }
poke() { devmem "$(($1))" "${3:-32}" "$2"; }

# port_in DEVICE BAR OFFSET, port_out DEVICE BAR OFFSET VALUE: a byte of a base address of I/O ports
port_in() {
  dd if="/sys/bus/pci/devices/$1/resource$2" bs=1 skip="$3" count=1 2>/dev/null | hexdump -ve '1/1 "0x%02x\n"'
}
port_out() {
  printf "\\x$(printf %02x "$4")" |
    dd of="/sys/bus/pci/devices/$1/resource$2" bs=1 seek="$3" count=1 conv=notrunc 2>/dev/null
}

# interrupts DEVICE: how many its line or vector has had, all that share the line taken together
interrupts() {
  awk -v line="$(cat "/sys/bus/pci/devices/$1/irq"):" '$1 == line { n = $2 } END { print n + 0 }' /proc/interrupts
}
