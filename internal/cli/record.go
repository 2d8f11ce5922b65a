package cli

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/ringway/ringway/internal/cli/printable"
)

// A Field is a named value of a Record: nil, bool, a number, string, Record,
// []Record or whatever else encoding/json writes.
type Field struct {
	Name  string
	Value any
}

// A Record is an object whose fields have an order. JSON, CSV and assertions are
// all made from it, so that a name means the same in each.
type Record []Field

// RecordOf returns the fields of a struct under their JSON names, in the order
// of the declaration, nil pointers as nil and others as what they point to;
// those of an embedded struct stand in its place, as in encoding/json. Fields named in without are left out.
func RecordOf(v any, without ...string) Record {
	value := reflect.Indirect(reflect.ValueOf(v))
	var r Record
	for i := range value.NumField() {
		if t := value.Type().Field(i); t.Anonymous && t.Tag.Get("json") == "" {
			r = append(r, RecordOf(value.Field(i).Interface(), without...)...)
			continue
		}
		name, _, _ := strings.Cut(value.Type().Field(i).Tag.Get("json"), ",")
		if name == "" || name == "-" || slices.Contains(without, name) {
			continue
		}
		field := value.Field(i)
		switch {
		case field.Kind() != reflect.Pointer:
			r = append(r, Field{name, field.Interface()})
		case field.IsNil():
			r = append(r, Field{name, nil})
		default:
			r = append(r, Field{name, field.Elem().Interface()})
		}
	}
	return r
}

// Get returns the value of the field of that name, and whether there is one.
func (r Record) Get(name string) (any, bool) {
	for _, f := range r {
		if f.Name == name {
			return f.Value, true
		}
	}
	return nil, false
}

// Names returns the names of the fields that hold one value: those of the
// columns in CSV.
func (r Record) Names() []string {
	var names []string
	for _, f := range r {
		if isScalar(f.Value) {
			names = append(names, f.Name)
		}
	}
	return names
}

// isScalar reports whether a value fits a cell.
func isScalar(v any) bool {
	switch reflect.ValueOf(v).Kind() {
	case reflect.Slice, reflect.Map, reflect.Struct, reflect.Array:
		return false
	}
	return true
}

// MarshalJSON keeps the order of the fields.
func (r Record) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range r {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(f.Name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(f.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// WriteJSON writes the record as one indented object. The items of a list that
// are no Records take one line each, so that a series of thousands stays
// readable.
func WriteJSON(w io.Writer, r Record) error {
	var b bytes.Buffer
	if err := writeIndented(&b, r, ""); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err := w.Write(b.Bytes())
	return err
}

func writeIndented(b *bytes.Buffer, r Record, indent string) error {
	b.WriteString("{")
	for i, f := range r {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(b, "\n%s  %q: ", indent, f.Name)
		switch v := f.Value.(type) {
		case Record:
			if err := writeIndented(b, v, indent+"  "); err != nil {
				return err
			}
		case []Record:
			b.WriteByte('[')
			for j, item := range v {
				if j > 0 {
					b.WriteString(", ")
				}
				if err := writeIndented(b, item, indent+"  "); err != nil {
					return err
				}
			}
			b.WriteByte(']')
		default:
			if err := writeValue(b, f, indent+"  "); err != nil {
				return err
			}
		}
	}
	b.WriteString("\n" + indent + "}")
	return nil
}

// writeValue writes a value on one line, a list with a line for each item.
func writeValue(b *bytes.Buffer, f Field, indent string) error {
	list := reflect.ValueOf(f.Value)
	if list.Kind() != reflect.Slice || list.Len() == 0 {
		text, err := json.Marshal(f.Value)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		if string(text) == "null" && list.Kind() == reflect.Slice {
			text = []byte("[]")
		}
		b.Write(escapeJSON(text))
		return nil
	}
	b.WriteByte('[')
	for i := range list.Len() {
		if i > 0 {
			b.WriteByte(',')
		}
		text, err := json.Marshal(list.Index(i).Interface())
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		b.WriteString("\n" + indent + "  ")
		b.Write(escapeJSON(text))
	}
	b.WriteString("\n" + indent + "]")
	return nil
}

// escapeJSON writes characters that a terminal must not see as \u escapes, which
// mean the same to whoever reads the JSON. They can only be within strings.
func escapeJSON(text []byte) []byte {
	if printable.Is(string(text)) {
		return text
	}
	var out []byte
	for _, r := range string(text) {
		switch {
		case unicode.IsPrint(r):
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, "\\u%04x\\u%04x", high, low)
		default:
			out = fmt.Appendf(out, "\\u%04x", r)
		}
	}
	return out
}

// WriteCSV writes a header and one line a record, by RFC 4180. The records have
// the same fields; those that hold more than one value are left out, nil is an
// empty cell.
func WriteCSV(w io.Writer, records []Record) error {
	if len(records) == 0 {
		return nil
	}
	out := csv.NewWriter(w)
	names := records[0].Names()
	rows := [][]string{names}
	for _, r := range records {
		row := make([]string, len(names))
		for i, name := range names {
			value, _ := r.Get(name)
			row[i] = cell(value)
		}
		rows = append(rows, row)
	}
	return out.WriteAll(rows)
}

func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return fmt.Sprint(v)
}
