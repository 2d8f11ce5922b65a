package command

// shelf is the short way to most commands: those of the built-in table whose names
// are at most 8 letters, in any case. It costs one multiplication, touches one line
// of memory, and finds nothing that the map does not. A name has two places; if
// others have both, it is found in the map alone.
type shelf [1 << shelfBits]struct {
	word    uint64 // of the name
	command *Command
}

const shelfBits = 10

func newShelf(from map[string]*Command) *shelf {
	s := new(shelf)
	for _, c := range distinct(from) {
		if !onShelf(c.def.Name) {
			continue
		}
		w := word(c.def.Name)
		at := place(w)
		if s[at].command != nil {
			at ^= 1
		}
		if s[at].command == nil {
			s[at].word, s[at].command = w, c
		}
	}
	return s
}

// find returns nil if the name is not on the shelf.
func (s *shelf) find(name string) *Command {
	if len(name) > 8 {
		return nil
	}
	w := word(name)
	at := place(w)
	if s[at].word == w {
		return s[at].command
	}
	if s[at^1].word == w {
		return s[at^1].command
	}
	return nil
}

// word packs a name of at most 8 bytes, letters in small ones. Of names of letters
// alone no two have the same word, and no other name has the word of one of them:
// the bit that makes a letter small makes a letter of nothing else.
func word(name string) (w uint64) {
	for i := range len(name) {
		w = w<<8 | uint64(name[i]|0x20)
	}
	return w
}

// place is Fibonacci hashing (Knuth, The Art of Computer Programming, vol. 3, 6.4).
func place(word uint64) uint64 { return word * 0x9E3779B97F4A7C15 >> (64 - shelfBits) }

func onShelf(name string) bool {
	for i := range len(name) {
		if b := name[i] | 0x20; b < 'a' || 'z' < b {
			return false
		}
	}
	return 0 < len(name) && len(name) <= 8
}
