package cache

import "runtime/debug"

// caught is deferred around a function that the user has given: what it panics with is an
// error, and what the cache holds at that moment is given back as after any other. in says
// which function it is: see PanicError.
func caught(in string, err *error) {
	if p := recover(); p != nil {
		*err = &PanicError{In: in, Value: p, Stack: debug.Stack()}
	}
}

func (s *Space[K, V]) encode(v V, id identity) (payload []byte, err error) {
	defer caught("Codec.Encode", &err)
	return s.cfg.Codec.Encode(v, id[:])
}

// decode never panics, whatever the codec makes of bytes from outside.
func (s *Space[K, V]) decode(payload []byte, id identity) (v V, err error) {
	return s.decodeOf(payload, id[:])
}

// decodeOf is decode for who has the identity on the heap: of a local one it would have
// to be put there.
func (s *Space[K, V]) decodeOf(payload, id []byte) (v V, err error) {
	defer caught("Codec.Decode", &err)
	return s.cfg.Codec.Decode(payload, id)
}

// cloneOrCopied is plainCopy for a space that has it and is not flat.
func (s *Space[K, V]) cloneOrCopied(v V) (c V, err error) {
	if s.cfg.Clone == nil {
		return s.copied(v), nil
	}
	return s.clone(v)
}

// clone is Clone, which the space has.
func (s *Space[K, V]) clone(v V) (c V, err error) {
	defer caught("Clone", &err)
	return s.cfg.Clone(v), nil
}
