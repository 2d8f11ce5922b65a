package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// source is a file that was parsed.
type source struct {
	text string
	set  *token.FileSet
	tree *ast.File
}

func parseSource(text string) (source, error) {
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, "", text, parser.ParseComments|parser.SkipObjectResolution)
	return source{text, set, tree}, err
}

func (s source) offset(p token.Pos) int { return s.set.Position(p).Offset }

// mutant returns the function that a trial changes and its mutant, with a name of its
// own; or why there is none.
func (s source) mutant(t *trial) (f *ast.FuncDecl, text, why string) {
	from, to := changed(t.before, t.after)
	i := s.around(from, to)
	if i < 0 {
		return nil, "", "not within a function"
	}
	f = s.tree.Decls[i].(*ast.FuncDecl)
	after, err := parseSource(t.after)
	if err != nil {
		return nil, "", "the mutant does not parse"
	}
	if len(after.tree.Decls) != len(s.tree.Decls) {
		return nil, "", "more than one function"
	}
	g, is := after.tree.Decls[i].(*ast.FuncDecl)
	if !is || g.Body == nil {
		return nil, "", "more than one function"
	}
	if why := callerMatters(f, g); why != "" {
		return nil, "", why
	}
	begin, end := after.offset(g.Pos()), after.offset(g.End())
	name := after.offset(g.Name.Pos())
	text = t.after[begin:name] + mutantName(g.Name.Name, t.number) + t.after[name+len(g.Name.Name):end]
	return f, text, ""
}

// changed returns from where to where two texts differ, in the first. It is within
// what was replaced, which may start and end with lines that stay.
func changed(before, after string) (from, to int) {
	most := min(len(before), len(after))
	for from < most && before[from] == after[from] {
		from++
	}
	same := 0
	for same < most-from && before[len(before)-1-same] == after[len(after)-1-same] {
		same++
	}
	return from, len(before) - same
}

// around returns which declaration is a function whose body holds the bytes from one
// offset to another; -1: none.
func (s source) around(from, to int) int {
	for i, d := range s.tree.Decls {
		f, is := d.(*ast.FuncDecl)
		if is && f.Body != nil && s.offset(f.Body.Lbrace) < from && to <= s.offset(f.Body.Rbrace) {
			return i
		}
	}
	return -1
}

// callerMatters says why a function cannot be called by its first version: it would
// see that one as its caller, or the compiler has been told something about it.
func callerMatters(versions ...*ast.FuncDecl) (why string) {
	for _, f := range versions {
		if f.Doc != nil {
			for _, line := range f.Doc.List {
				if strings.HasPrefix(line.Text, "//go:") {
					why = "it has a directive"
				}
			}
		}
		for _, p := range fields(f.Type.TypeParams) {
			if p.name == "_" {
				why = "a type parameter without a name"
			}
		}
		if mentions(f.Body, isRecover, false) {
			why = "it calls recover"
		}
		if mentions(f.Body, looksAtCallers, true) {
			why = "it looks at its callers"
		}
	}
	return why
}

// mentions looks for an expression in a body, and in the functions within it.
func mentions(body *ast.BlockStmt, what func(ast.Node) bool, within bool) (found bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		if _, is := n.(*ast.FuncLit); is && !within {
			return false
		}
		found = found || what(n)
		return !found
	})
	return found
}

// isRecover: it returns nil where it is not called by the deferred function itself.
func isRecover(n ast.Node) bool {
	name, is := n.(*ast.Ident)
	return is && name.Name == "recover"
}

func looksAtCallers(n ast.Node) bool {
	s, is := n.(*ast.SelectorExpr)
	if !is || !strings.HasPrefix(s.Sel.Name, "Caller") {
		return false
	}
	p, is := s.X.(*ast.Ident)
	return is && p.Name == "runtime"
}

// header is how a function calls one with the same parameters.
type header struct {
	edits    []edit // names for parameters without one
	receiver string // "r." or ""
	types    string // "[K, V]" or ""
	args     string
}

func (s source) header(f *ast.FuncDecl) (h header) {
	var args, types []string
	for i, p := range fields(f.Type.Params) {
		name := h.named(s, p, fmt.Sprintf("mutantArg%d", i))
		if _, variadic := p.kind.(*ast.Ellipsis); variadic {
			name += "..."
		}
		args = append(args, name)
	}
	h.args = strings.Join(args, ", ")
	if f.Recv != nil {
		h.receiver = h.named(s, fields(f.Recv)[0], "mutantReceiver") + "."
		return h
	}
	for _, p := range fields(f.Type.TypeParams) {
		types = append(types, p.name)
	}
	if types != nil {
		h.types = "[" + strings.Join(types, ", ") + "]"
	}
	return h
}

// named returns a parameter's name, or gives it one.
func (h *header) named(s source, p parameter, name string) string {
	switch {
	case p.ident == nil:
		at := s.offset(p.kind.Pos())
		h.edits = append(h.edits, edit{at, at, name + " "})
	case p.name == "_":
		h.edits = append(h.edits, edit{s.offset(p.ident.Pos()), s.offset(p.ident.End()), name})
	default:
		return p.name
	}
	return name
}

// giveWay is the statement with which a function calls its mutant.
func (h header) giveWay(f *ast.FuncDecl, number int) string {
	call := h.receiver + mutantName(f.Name.Name, number) + h.types + "(" + h.args + ")"
	if f.Type.Results.NumFields() == 0 {
		return fmt.Sprintf(" if isMutant(%d) { %s; return }; ", number, call)
	}
	return fmt.Sprintf(" if isMutant(%d) { return %s }; ", number, call)
}

// parameter is one of a list; ident is nil where it has no name.
type parameter struct {
	name  string
	ident *ast.Ident
	kind  ast.Expr
}

func fields(list *ast.FieldList) (all []parameter) {
	if list == nil {
		return nil
	}
	for _, field := range list.List {
		if len(field.Names) == 0 {
			all = append(all, parameter{kind: field.Type})
		}
		for _, ident := range field.Names {
			all = append(all, parameter{ident.Name, ident, field.Type})
		}
	}
	return all
}
