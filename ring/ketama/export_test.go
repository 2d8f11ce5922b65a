package ketama

// PointHashes returns the hashes of the points in order.
func PointHashes(k *Ketama) []uint32 {
	hashes := make([]uint32, len(k.points))
	for i, p := range k.points {
		hashes[i] = p.hash
	}
	return hashes
}

// Locate is Point and OwnerIndex at the cost of one hash.
func Locate(k *Ketama, key string) (hash, point uint32, node int) {
	hash = k.Hash(key)
	p := k.points[k.find(hash)]
	return hash, p.hash, int(p.node)
}
