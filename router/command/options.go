package command

// optionSet names the options that decide what a command does to its key. The
// table has the class of the command without options.
type optionSet uint8

const (
	noOptions optionSet = iota
	setOptions
	msetexOptions
	restoreOptions
	copyOptions
	getexOptions
	hgetexOptions
	delexOptions
	bitfieldOptions
)

// refine returns the class of access to a key that Keys has found, with the
// options given. An option that is not known makes it ReadModifyWrite.
func (o optionSet) refine(access Access, args []any) Access {
	switch {
	case o == setOptions && !plainSet(args, 3),
		o == msetexOptions && !plainMSetEX(args),
		o == restoreOptions && !hasReplace(args, 4),
		o == copyOptions && access == Overwrite && !hasReplace(args, 3),
		o == delexOptions && len(args) > 2:
		return ReadModifyWrite
	case o == getexOptions && len(args) == 2,
		o == hgetexOptions && len(args) > 2 && isWord(args[2], "FIELDS"),
		o == bitfieldOptions && onlyGets(args):
		return Read
	}
	return access
}

// plainSet reports whether the options of SET from a position on set an expiry
// and nothing else: no condition, no answer with the old value, and not the old
// expiry, which depend on what the key held.
func plainSet(args []any, from int) bool {
	for i := from; i < len(args); i++ {
		if !isWord(args[i], "EX") && !isWord(args[i], "PX") && !isWord(args[i], "EXAT") && !isWord(args[i], "PXAT") {
			return false
		}
		i++
	}
	return true
}

// plainMSetEX does that for MSETEX numkeys key value key value … [options]. The
// count is one for which Keys has found the keys.
func plainMSetEX(args []any) bool {
	n, _ := intArg(args[1])
	return plainSet(args, 2+2*int(n))
}

// hasReplace reports whether RESTORE or COPY has, from a position on, the option
// REPLACE, without which they depend on whether the key exists.
func hasReplace(args []any, from int) bool {
	for i := from; i < len(args); i++ {
		switch {
		case isWord(args[i], "REPLACE"):
			return true
		case isWord(args[i], "DB"), isWord(args[i], "IDLETIME"), isWord(args[i], "FREQ"):
			i++
		}
	}
	return false
}

// onlyGets reports whether BITFIELD key has no operation but GET type offset.
func onlyGets(args []any) bool {
	for i := 2; i < len(args); i += 3 {
		if !isWord(args[i], "GET") {
			return false
		}
	}
	return (len(args)-2)%3 == 0
}
