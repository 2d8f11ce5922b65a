package main

// What a hit in level 1 has to look at, though it is quick.
func init() {
	for _, m := range promptMutations {
		m.name, m.pkg = "cache/prompt/"+m.name, "./cache"
		mutations = append(mutations, m)
	}
}

var promptMutations = []mutation{
	{name: "session", what: "what a session has seen", file: "cache/prompt.go",
		old: " || sessionsBegun.Load() && sessionOf(ctx) != nil", new: "",
		tests: "TestPromptGivesWay"},
	{name: "closed", what: "nothing comes after Close", file: "cache/prompt.go",
		old: " || s.ended.Load()", new: "",
		tests: "TestPromptGivesWay"},
	{name: "bypass", what: "the process's bypass", file: "cache/prompt.go",
		old: " || s.bypass.Load() != uint32(BypassNothing)", new: "",
		tests: "TestPromptGivesWay"},
	{name: "control", what: "the operator's bypass", file: "cache/prompt.go",
		old: " || s.control.Load() != nil", new: "",
		tests: "TestPromptGivesWay"},
	{name: "late", what: "a timer that is late", file: "cache/prompt.go",
		old: "if h.ends-now < lateClock {", new: "if false {",
		tests: "TestPromptEnds"},
	{name: "tags", what: "tags", file: "cache/prompt.go",
		old: "if !found || len(h.tags) != 0 {", new: "if !found {",
		tests: "TestTagsInLevel1"},
	{name: "check", what: "versions that are compared with the source", file: "cache/prompt.go",
		old: " && s.cfg.Check.Version == nil", new: "",
		tests: "TestCheck|TestCheckAfter"},
	{name: "behind", what: "writes that the source has not taken yet", file: "cache/prompt.go",
		old: " && s.behind == nil", new: "",
		tests: "TestPromptNotWithWritesBehind"},
	{name: "hot", what: "hot keys are counted", file: "cache/prompt.go",
		old: " && s.hot == nil", new: "",
		tests: "TestHotKeysArePinned"},
	{name: "watched", what: "hits are observed", file: "cache/prompt.go",
		old: " && !s.m.watched()", new: "",
		tests: "TestOperationsAreObserved"},
	{name: "copy", what: "callers share no value", file: "cache/get.go",
		old: "\t\t\tv = s.cfg.Clone(h.value)\n", new: "\t\t\tv = h.value\n",
		tests: "TestPromptHit"},
}
