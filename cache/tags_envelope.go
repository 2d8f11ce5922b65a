package cache

import "encoding/binary"

const tagBytes = 16 + 8 // of a tag in an envelope

func appendTags(out []byte, tags []tagVersion) []byte {
	if len(tags) == 0 {
		return out
	}
	out = append(out, byte(len(tags)))
	for _, t := range tags {
		out = append(out, t.id[:]...)
		out = binary.BigEndian.AppendUint64(out, t.version)
	}
	return out
}

// cutTags takes the tags off the front.
func cutTags(data []byte) (tags []tagVersion, rest []byte, whole bool) {
	if len(data) == 0 {
		return nil, nil, false
	}
	n := int(data[0])
	if data = data[1:]; n == 0 || n > maxTags || len(data) < n*tagBytes {
		return nil, nil, false
	}
	tags = make([]tagVersion, n)
	for i := range tags {
		tags[i] = tagVersion{id: identity(data[i*tagBytes:]), version: binary.BigEndian.Uint64(data[i*tagBytes+16:])}
	}
	return tags, data[n*tagBytes:], true
}
