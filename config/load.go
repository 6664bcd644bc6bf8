package config

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/viper"
	"gopkg.in/yaml.v3"
)

// A loader reads one config and collects its mistakes. The schema is Config and the structs in it, with these tags:
//
//	key      the name in the file; in the environment TARSIER_ and the whole key in capitals, if it is no list or in one
//	default  as it would be written in the file. In a list, what is a pointer has none and stays nil
//	range    the least and the greatest number, or duration
//	oneof    the words that are allowed
//	is       what else a text, or each of a list, must be: one of rules
//	max      how many entries a list may have, if not maxEntries
type loader struct {
	places
	failed map[string]bool // the keys whose values are wrong: one mistake is said once
	errors Errors
}

// places is where each key that is given is, by its whole path.
type places struct {
	file  string
	given map[string]origin
}

// origin is where a value is from, and its text.
type origin struct {
	line     int
	variable string
	text     string
}

// fallback is a default: the type tells it from a string, which only the environment gives.
type fallback string

// maxEntries keeps a list that names itself by YAML aliases from growing without bounds.
const maxEntries = 1024

func parse(file string, data []byte) (*Config, error) {
	l := &loader{places: places{file, map[string]origin{}}, failed: map[string]bool{}}
	c := &Config{content: sha256.Sum256(data), places: l.places}
	schema := reflect.ValueOf(c).Elem()

	root := l.document(data)
	if l.errors != nil {
		return nil, l.errors
	}
	settings := viper.New()
	settings.AllowEmptyEnv(true)
	eachKey(schema, "", func(key string, field reflect.StructField, v reflect.Value) {
		if value, ok := field.Tag.Lookup("default"); ok {
			settings.SetDefault(key, fallback(value))
		}
		variable := variableOf(key)
		if v.Kind() == reflect.Slice {
			if text, set := os.LookupEnv(variable); set {
				l.given[key] = origin{variable: variable, text: quote(text)}
				l.wrong(key, "nothing: a list can only be set in the file")
			}
			return
		}
		_ = settings.BindEnv(key, variable) // fails only without a key
	})
	nodes := make(map[string]any)
	for key, node := range l.flatten(root, schema, "") {
		nodes[key] = node
	}
	if err := settings.MergeConfigMap(nodes); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if l.failed[""] {
		return nil, l.errors
	}
	l.fill(schema, "", settings.Get)
	if c.Node == "" {
		c.Node = hostNode(os.Hostname())
	}
	if c.MQTT.ClientID == "" {
		c.MQTT.ClientID = "tarsier-" + c.Node
	}
	for i := range c.Cameras {
		if len(c.Cameras[i].Regions) == 0 {
			c.Cameras[i].Regions = []Region{{Name: "frame", Box: [4]float64{0, 0, 1, 1}}}
		}
	}
	l.check(c)
	if l.errors != nil {
		l.errors.sort()
		return nil, l.errors
	}
	return c, nil
}

// variableOf gives the environment variable of a key.
func variableOf(key string) string {
	return "TARSIER_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9_-]`)

// hostNode makes a node's name of a host's.
func hostNode(host string, err error) string {
	if err != nil || host == "" {
		return "tarsier"
	}
	node := notInNames.ReplaceAllString(host, "-")
	return node[:min(len(node), 64)]
}

// document parses the YAML. It gives nil for an empty file.
func (l *loader) document(data []byte) *yaml.Node {
	bad := func(line int, found, allowed string) {
		l.errors = append(l.errors, Error{File: l.file, Line: line, Found: found, Allowed: allowed})
	}
	if len(data) > maxSize {
		bad(1, fmt.Sprintf("more than %d bytes", maxSize), "a config file of a smaller size")
		return nil
	}
	if i := invalidUTF8(data); i >= 0 {
		bad(1+bytes.Count(data[:i], []byte("\n")), fmt.Sprintf("the byte %#02x", data[i]), "text in UTF-8")
		return nil
	}
	document, second, err := decode(data)
	if err == nil && second != nil && !isNull(second) {
		bad(second.Line, "a second document", "one: --- only at the start of the file")
		return nil
	}
	if err != nil {
		line, message := syntaxError(data, err)
		allowed := "YAML"
		if text := bytes.Split(data, []byte("\n"))[line-1]; bytes.HasPrefix(bytes.TrimLeft(text, " "), []byte("\t")) {
			allowed = "YAML, which is indented with spaces, not with tabs"
		}
		bad(line, "text that is not YAML ("+message+")", allowed)
		return nil
	}
	return document
}

// decode gives the contents of the first two YAML documents, nil for one that is not there.
func decode(data []byte) (first, second *yaml.Node, err error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for _, content := range []**yaml.Node{&first, &second} {
		var document yaml.Node
		switch err := decoder.Decode(&document); {
		case errors.Is(err, io.EOF):
			return first, second, nil
		case err != nil:
			return nil, nil, err
		case len(document.Content) > 0:
			*content = document.Content[0]
		}
	}
	return first, second, nil
}

var yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// syntaxError gives what yaml.v3 says of data, and the line. yaml.v3 often gives none, or that where the mapping begins in which
// something is wrong: so the line is at least the one after the longest start of the file that is YAML.
func syntaxError(data []byte, err error) (line int, message string) {
	line, message = 1, err.Error()
	if m := yamlError.FindStringSubmatch(message); m != nil {
		message = m[2]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
	}
	lines := bytes.SplitAfter(bytes.TrimRight(data, " \t\r\n"), []byte("\n"))
	if len(lines)*len(data) < 1<<24 { // beyond that, about a thousand lines, it takes too long to try
		good := len(lines) - 1
		for ; good > 0; good-- {
			if _, _, err := decode(bytes.Join(lines[:good], nil)); err == nil {
				break
			}
		}
		if line <= good || strings.Contains(message, "end of stream") {
			line = good + 1
		}
	}
	return min(line, len(lines)), message
}

func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// eachKey calls do for every key of a struct that is no section, in order. Keys are relative to the struct.
func eachKey(v reflect.Value, prefix string, do func(key string, field reflect.StructField, v reflect.Value)) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		key := prefix + field.Tag.Get("key")
		switch {
		case !field.IsExported():
		case field.Type.Kind() == reflect.Struct:
			eachKey(v.Field(i), key+".", do)
		default:
			do(key, field, v.Field(i))
		}
	}
}

// flatten checks the keys of a mapping and of the sections in it, and gives the nodes of the rest by their key relative to v.
// A key without a value is as one that is not there.
func (l *loader) flatten(node *yaml.Node, v reflect.Value, path string) map[string]*yaml.Node {
	nodes := make(map[string]*yaml.Node)
	node = resolve(node)
	if node == nil || isNull(node) {
		return nodes
	}
	if path != "" {
		l.given[path] = origin{line: node.Line, text: describe(node)}
	}
	if node.Kind != yaml.MappingNode {
		if path == "" {
			l.given[path] = origin{line: node.Line, text: describe(node)}
		}
		l.wrong(path, "keys with values: "+strings.Join(keysOf(v), ", "))
		return nodes
	}
	lines := make(map[string]int)
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], resolve(node.Content[i+1])
		key := join(path, name.Value)
		bad := func(found, allowed string) {
			l.errors = append(l.errors, Error{File: l.file, Line: name.Line, Key: key, Found: found, Allowed: allowed})
		}
		field, known := fieldOf(v, name.Value)
		switch {
		case name.Kind != yaml.ScalarNode:
			key = path
			bad(describe(name)+" as a key", strings.Join(keysOf(v), ", "))
		case !known:
			key = join(path, plain(name.Value))
			found := "an unknown key"
			if near := similar(name.Value, keysOf(v)); near != "" {
				found += " (did you mean " + near + "?)"
			}
			bad(found, strings.Join(keysOf(v), ", "))
		case lines[name.Value] > 0:
			bad("the key again", fmt.Sprintf("once; it is on line %d already", lines[name.Value]))
		case field.Kind() == reflect.Struct:
			for inner, n := range l.flatten(value, field, key) {
				nodes[name.Value+"."+inner] = n
			}
		case !isNull(value):
			nodes[name.Value] = value
		}
		lines[name.Value] = name.Line
	}
	return nodes
}

// fill sets every key of v, which stands at path, to what get gives for it: a node of the file, a string from the environment,
// a fallback or nil.
func (l *loader) fill(v reflect.Value, path string, get func(key string) any) {
	eachKey(v, "", func(key string, field reflect.StructField, v reflect.Value) {
		key, raw := join(path, key), get(key)
		switch raw := raw.(type) {
		case *yaml.Node:
			l.given[key] = origin{line: raw.Line, text: describe(raw)}
			l.set(v, field.Tag, key, raw)
		case string:
			l.given[key] = origin{variable: variableOf(key), text: quote(raw)}
			l.set(v, field.Tag, key, &yaml.Node{Kind: yaml.ScalarNode, Value: raw})
		case fallback:
			var node yaml.Node
			if err := yaml.Unmarshal([]byte(raw), &node); err != nil {
				panic(err)
			}
			l.set(v, field.Tag, key, node.Content[0])
		case nil:
			if v.Kind() == reflect.String {
				l.text(field.Tag, key, "")
			}
		}
	})
}

// set sets v to the value of a node, or says why it cannot.
func (l *loader) set(v reflect.Value, tag reflect.StructTag, key string, node *yaml.Node) {
	node = resolve(node)
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		l.set(v.Elem(), tag, key, node)
		return
	case reflect.Array, reflect.Slice:
		l.setList(v, tag, key, node)
		return
	}
	wanted := wants(v, tag)
	if node.Kind != yaml.ScalarNode {
		l.wrong(key, wanted)
		return
	}
	kind := node.ShortTag()
	least, greatest, _ := strings.Cut(tag.Get("range"), " ")
	ok := false
	switch value := v.Addr().Interface().(type) {
	case *string:
		// Whatever is written is the text: 7 and true are labels, too.
		*value = node.Value
		switch {
		case node.Tag == "!!null": // in the environment nothing is text, too
			l.wrong(key, wanted)
			return
		case !strings.HasPrefix(kind, "!!") || kind == "!!binary":
			l.wrongBecause(key, "the tag "+shorten(kind), "text without a tag")
			return
		}
		l.text(tag, key, node.Value)
		return
	case *bool:
		ok = kind == "!!bool" && node.Decode(value) == nil
	case *int:
		low, _ := strconv.Atoi(least)
		high, _ := strconv.Atoi(greatest)
		ok = kind == "!!int" && node.Decode(value) == nil && *value >= low && *value <= high
	case *float64:
		low, _ := strconv.ParseFloat(least, 64)
		high, _ := strconv.ParseFloat(greatest, 64)
		ok = (kind == "!!int" || kind == "!!float") && node.Decode(value) == nil && *value >= low && *value <= high
	case *Width:
		// In the file "auto" is text, a number is none; in the environment there are no types.
		var err error
		*value, err = ParseWidth(node.Value)
		ok = err == nil && (kind == "!!int" || kind == "!!float" || *value == Auto && kind == "!!str")
	case *time.Duration:
		low, _ := time.ParseDuration(least)
		high, _ := time.ParseDuration(greatest)
		d, err := time.ParseDuration(node.Value)
		*value = d
		ok = err == nil && d >= low && d <= high
	}
	if !ok {
		l.wrong(key, wanted)
	}
}

// setList sets an array or slice, each entry of which has the tag of the whole.
func (l *loader) setList(v reflect.Value, tag reflect.StructTag, key string, node *yaml.Node) {
	most := maxEntries
	if n, err := strconv.Atoi(tag.Get("max")); err == nil {
		most = n
	}
	switch {
	case node.Kind != yaml.SequenceNode:
		l.wrong(key, wants(v, tag))
		return
	case v.Kind() == reflect.Array && len(node.Content) != v.Len():
		l.wrongBecause(key, fmt.Sprintf("%d entries", len(node.Content)), wants(v, tag))
		return
	case len(node.Content) > most:
		l.wrongBecause(key, fmt.Sprintf("%d entries", len(node.Content)), fmt.Sprintf("%d at most", most))
		return
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), len(node.Content), len(node.Content)))
	}
	for i, child := range node.Content {
		key, child := fmt.Sprintf("%s[%d]", key, i), resolve(child)
		entry := v.Index(i)
		l.given[key] = origin{line: child.Line, text: describe(child)}
		if entry.Kind() != reflect.Struct || child.Kind != yaml.MappingNode {
			l.set(entry, tag, key, child)
			continue
		}
		nodes := l.flatten(child, entry, key)
		defaults := make(map[string]any)
		eachKey(entry, "", func(key string, field reflect.StructField, v reflect.Value) {
			if value, ok := field.Tag.Lookup("default"); ok && v.Kind() != reflect.Pointer {
				defaults[key] = fallback(value)
			}
		})
		l.fill(entry, key, func(key string) any {
			if node := nodes[key]; node != nil {
				return node
			}
			return defaults[key]
		})
	}
}

// text checks a string.
func (l *loader) text(tag reflect.StructTag, key, value string) {
	if strings.ContainsFunc(value, unicode.IsControl) || !utf8.ValidString(value) {
		l.wrongBecause(key, "text with control characters", "text without them")
		return
	}
	if words := strings.Fields(tag.Get("oneof")); len(words) > 0 && !slices.Contains(words, value) {
		l.wrong(key, alternatives(words))
	}
	if rule := rules[tag.Get("is")]; rule != nil {
		if found, allowed := rule(value); allowed != "" && found != "" {
			l.wrongBecause(key, found, allowed)
		} else if allowed != "" {
			l.wrong(key, allowed)
		}
	}
}

// wants says in words what a key takes.
func wants(v reflect.Value, tag reflect.StructTag) string {
	least, greatest, _ := strings.Cut(tag.Get("range"), " ")
	switch v.Interface().(type) {
	case bool:
		return "true or false"
	case int:
		if least == "1" && greatest == "2" {
			return "1 or 2"
		}
		return fmt.Sprintf("a whole number from %s to %s", least, greatest)
	case float64:
		return fmt.Sprintf("a number from %s to %s", least, greatest)
	case Width:
		return widths
	case time.Duration:
		return fmt.Sprintf("a time from %s to %s with its unit, such as 500ms or 2s", least, greatest)
	case [4]float64:
		return "[x, y, width, height] as fractions of the frame"
	case []string:
		return "a list [a, b]"
	case string:
		if words := strings.Fields(tag.Get("oneof")); len(words) > 0 {
			return alternatives(words)
		}
		return "text"
	}
	entry := reflect.New(v.Type())
	if v.Kind() == reflect.Slice {
		entry = reflect.New(v.Type().Elem())
		return "a list, each entry with the keys " + strings.Join(keysOf(entry.Elem()), ", ")
	}
	return "keys with values: " + strings.Join(keysOf(entry.Elem()), ", ")
}

func alternatives(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// wrong notes that what is given for a key is not what is allowed.
func (l *loader) wrong(key, allowed string) {
	l.wrongBecause(key, l.found(key), allowed)
}

// wrongBecause is for what is not to be quoted, or says less than what is found.
func (l *loader) wrongBecause(key, found, allowed string) {
	if l.failed[key] {
		return
	}
	l.failed[key] = true
	l.errors = append(l.errors, l.mistake(key, found, allowed))
}

// found is what is given for a key, in words.
func (p places) found(key string) string {
	if o, ok := p.given[key]; ok && o.text != "" {
		return o.text
	}
	return "nothing"
}

// mistake says where a key is. What is not there is reported at the section or entry that it is missing from.
func (p places) mistake(key, found, allowed string) Error {
	e := Error{File: p.file, Line: 1, Key: key, Found: found, Allowed: allowed}
	for at := key; ; at = at[:max(0, strings.LastIndexAny(at, ".["))] {
		if o, ok := p.given[at]; ok {
			e.Line, e.Variable = o.line, o.variable
			break
		}
		if at == "" {
			break
		}
	}
	return e
}

// resolve follows an alias to what it stands for.
func resolve(node *yaml.Node) *yaml.Node {
	for node != nil && node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null" }

// describe gives a node as it may be quoted in a message.
func describe(node *yaml.Node) string {
	node = resolve(node)
	switch node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		if len(node.Content) == 0 {
			return "[]"
		}
		return "a list"
	}
	switch node.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!int", "!!float", "!!bool":
		return shorten(node.Value)
	}
	return quote(node.Value)
}

func quote(text string) string { return strconv.Quote(shorten(text)) }

var keyLike = regexp.MustCompile(`^[A-Za-z0-9_.<-]+$`)

// plain gives an unknown key, in quotes if it is like none.
func plain(key string) string {
	if keyLike.MatchString(key) {
		return shorten(key)
	}
	return quote(key)
}

// shorten keeps a message readable, and what might be a password out of it.
func shorten(text string) string {
	if strings.Contains(text, "://") && strings.ContainsAny(text, "@?=") {
		return "(a URL that may hold a password)"
	}
	if runes := []rune(text); len(runes) > 60 {
		return string(runes[:60]) + "..."
	}
	return text
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// keysOf lists the keys of a struct, fieldOf finds one.
func keysOf(v reflect.Value) []string {
	keys := make(map[string]bool)
	for i := range v.NumField() {
		if key := v.Type().Field(i).Tag.Get("key"); key != "" {
			keys[key] = true
		}
	}
	return slices.Sorted(maps.Keys(keys))
}

func fieldOf(v reflect.Value, key string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if key != "" && v.Type().Field(i).Tag.Get("key") == key {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}
