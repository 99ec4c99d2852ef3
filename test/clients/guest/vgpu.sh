# Functions of a guest's shell for the registers of a vGPU, as docs/vgpu-device.md has them. They take the device's address.

# vgpu_read DEVICE OFFSET, vgpu_write DEVICE OFFSET VALUE: a register
vgpu_read() { peek "$(pci_bar "$1" 0) + $2"; }
vgpu_write() { poke "$(pci_bar "$1" 0) + $2" "$3"; }

# vgpu_memory DEVICE OFFSET: 32 bits of the device's memory
vgpu_memory() { peek "$(pci_bar "$1" 1) + $2"; }

# vgpu_command DEVICE COMMAND SOURCE DESTINATION LENGTH: prints status and error
vgpu_command() {
  registers=$(($(pci_bar "$1" 0)))
  poke $((registers + 0x28)) 3
  poke $((registers + 0x10)) $(($3 & 0xffffffff))
  poke $((registers + 0x14)) $(($3 >> 32))
  poke $((registers + 0x18)) $(($4 & 0xffffffff))
  poke $((registers + 0x1c)) $(($4 >> 32))
  poke $((registers + 0x20)) "$5"
  poke $((registers + 0x24)) "$2"
  echo "$(peek $((registers + 0x28)))" "$(peek $((registers + 0x2c)))"
}
