package command

import "strconv"

// Keys appends the keys of an invocation to dst, in the order in which the
// table names them, and returns it. The arguments begin with the command's
// name. A key that is given twice is there twice. On an *ArgumentError the
// result is dst as it was.
//
// Nothing is allocated if dst has room. A command whose Reason says why it is
// refused may have keys all the same: the channels of SUBSCRIBE.
func (c *Command) Keys(dst []Key, args []any) ([]Key, error) {
	if !c.fits(len(args)) {
		return dst, c.arityError(len(args))
	}
	start := len(dst)
	keys, err := c.appendKeys(dst, args)
	if err != nil {
		return dst, err
	}
	if c.def.options != noOptions {
		for i := start; i < len(keys); i++ {
			keys[i].Access = c.def.options.refine(keys[i].Access, args)
		}
	}
	return keys, nil
}

// appendKeys calls the finders by name. Through function values, which Find is
// one of, the compiler could not see that dst stays here, and every caller's
// buffer would go to the heap.
func (c *Command) appendKeys(dst []Key, args []any) ([]Key, error) {
	switch c.def.find {
	case readStreams:
		return c.streamKeys(dst, args, Read)
	case groupStreams:
		return c.streamKeys(dst, args, ReadModifyWrite)
	case sortStore:
		return c.sortKeys(dst, args)
	case geoStore:
		return c.geoKeys(dst, args)
	case migrateKeys:
		return c.migrateKeys(dst, args)
	}
	if c.def.Find != nil {
		return c.foundKeys(dst, args)
	}
	var err error
	for _, s := range c.def.Keys {
		if s.Count > 0 {
			dst, err = c.countedKeys(dst, args, s)
		} else {
			dst, err = c.rangeKeys(dst, args, s)
		}
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func (c *Command) rangeKeys(dst []Key, args []any, s KeySpec) ([]Key, error) {
	last, step := s.Last, s.step()
	switch {
	case last == 0:
		last = s.First
	case last < 0:
		last += len(args)
	}
	if last >= len(args) { // a definition whose arity lets too few through
		return dst, c.arityError(len(args))
	}
	if n := last - s.First + 1; n > 0 && n%step != 0 && s.Last < 0 {
		return dst, &ArgumentError{Err: ErrArity, Command: c.def.Name,
			Got: strconv.Itoa(n) + " from the first key on", Want: "a multiple of " + strconv.Itoa(step)}
	}
	for pos := s.First; pos <= last; pos += step {
		dst = append(dst, Key{pos, s.Access})
	}
	return dst, nil
}

func (c *Command) countedKeys(dst []Key, args []any, s KeySpec) ([]Key, error) {
	first, step := s.First, s.step()
	if first == 0 {
		first = s.Count + 1
	}
	if s.Count >= len(args) {
		return dst, c.arityError(len(args))
	}
	least := 1
	if s.MayBeNone {
		least = 0
	}
	room := max(0, len(args)-first) / step
	n, isNumber := intArg(args[s.Count])
	if !isNumber || n < int64(least) || n > int64(room) {
		return dst, c.countError(args, s.Count, least, room)
	}
	for i := range int(n) {
		dst = append(dst, Key{first + i*step, s.Access})
	}
	return dst, nil
}

func (c *Command) countError(args []any, pos, least, most int) error {
	got, _ := KeyString(args[pos])
	return &ArgumentError{Err: ErrNumKeys, Command: c.def.Name, Pos: pos, Got: shown(got),
		Want: "a number from " + strconv.Itoa(least) + " to " + strconv.Itoa(most) + ", for that many arguments follow"}
}

// foundKeys asks Definition.Find, which may be anybody's code.
func (c *Command) foundKeys(dst []Key, args []any) ([]Key, error) {
	found, err := c.def.Find(args)
	if err != nil {
		return dst, err
	}
	for _, k := range found {
		if k.Pos < 1 || k.Pos >= len(args) || k.Access > NoAccess {
			return dst, &ArgumentError{Err: ErrSyntax, Command: c.def.Name, Pos: k.Pos,
				Got: "a key there by Definition.Find", Want: "a position among the arguments"}
		}
	}
	return append(dst, found...), nil
}
