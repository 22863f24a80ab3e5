package allowance

import "net/netip"

// SenderOf returns the part of an address by which one sender is told from another: all of an IPv4 address, and of IPv6 the
// network of a subscriber, who has 2^64 addresses. Without an address it is the zero Prefix.
func SenderOf(address netip.Addr) netip.Prefix {
	bits := 64
	if address = address.Unmap().WithZone(""); address.Is4() {
		bits = 32
	}
	prefix, _ := address.Prefix(bits) // fails for no address only
	return prefix
}
