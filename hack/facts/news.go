package main

import (
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// news prints what older lacks and what newer lacks, in the order in which following usually goes: resources, fields, stored objects,
// metrics, answers.
func news(out io.Writer, older, newer *recording) {
	compare(out, "resources", byKey(older.discovery, resourceKey), byKey(newer.discovery, resourceKey), nil)
	compare(out, "types", older.definitions, newer.definitions, typeNews)
	for _, name := range listNames {
		compare(out, name, byKey(older.lists[name], nameOf), byKey(newer.lists[name], nameOf), objectNews)
	}
	compare(out, "metrics", older.metrics, newer.metrics, nil)
	answerNews(out, older, newer)
}

func byKey(all []object, key func(object) string) map[string]object {
	keyed := map[string]object{}
	for _, o := range all {
		keyed[key(o)] = o
	}
	return keyed
}

func resourceKey(o object) string {
	return fmt.Sprintf("%v/%v %v %v", o["group"], o["version"], o["resource"], o["verbs"])
}

// compare prints a section: what came, what went and, by details, what is different in what stayed.
func compare[T any](out io.Writer, section string, older, newer map[string]T, details func(older, newer T) []string) {
	fmt.Fprintf(out, "\n## %s\n", section)
	for _, key := range slices.Sorted(maps.Keys(older)) {
		if _, stays := newer[key]; !stays {
			fmt.Fprintf(out, "- %s\n", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(newer)) {
		was, known := older[key]
		switch {
		case !known:
			fmt.Fprintf(out, "+ %s%s\n", key, about(newer[key]))
		case details != nil && !reflect.DeepEqual(was, newer[key]):
			if all := details(was, newer[key]); len(all) > 0 {
				fmt.Fprintf(out, "~ %s\n    %s\n", key, strings.Join(all, "\n    "))
			}
		}
	}
}

// about is what is said of something new besides its name.
func about(value any) string {
	if text, ok := value.(string); ok {
		return " " + text
	}
	return ""
}

// typeNews are the fields that came, went or have another type, and what else is said of the type. The list of groups that share
// DeleteOptions and WatchEvent is left out.
func typeNews(older, newer object) (all []string) {
	fields, were := properties(newer), properties(older)
	for _, name := range slices.Sorted(maps.Keys(were)) {
		if _, stays := fields[name]; !stays {
			all = append(all, "- "+name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !reflect.DeepEqual(were[name], fields[name]) {
			all = append(all, fmt.Sprintf("%s %s", name, compactJSON(fields[name])))
		}
	}
	if was, is := older["required"], newer["required"]; !reflect.DeepEqual(was, is) {
		all = append(all, fmt.Sprintf("required %v, was %v", is, was))
	}
	return all
}

func properties(definition object) object {
	fields, _ := definition["properties"].(object)
	return fields
}

// objectNews are the parts of lists (the rules of a role, say) that came and went, and other fields that changed.
func objectNews(older, newer object) (all []string) {
	for _, field := range slices.Sorted(maps.Keys(newer)) {
		was, is := older[field], newer[field]
		if field == "metadata" || reflect.DeepEqual(was, is) {
			continue
		}
		before, isList := was.([]any)
		after, _ := is.([]any)
		if !isList {
			all = append(all, fmt.Sprintf("%s %s, was %s", field, compactJSON(is), compactJSON(was)))
			continue
		}
		all = append(all, missing("- ", before, after)...)
		all = append(all, missing("+ ", after, before)...)
	}
	return all
}

func missing(sign string, from, in []any) (all []string) {
	for _, item := range from {
		if !slices.ContainsFunc(in, func(other any) bool { return reflect.DeepEqual(item, other) }) {
			all = append(all, sign+compactJSON(item))
		}
	}
	return all
}

// answerNews are requests to which both versions were put and that they answer differently.
func answerNews(out io.Writer, older, newer *recording) {
	fmt.Fprint(out, "\n## answers\n")
	were := map[string]answer{}
	for _, a := range older.answers {
		were[a.key()] = a
	}
	for _, a := range newer.answers {
		was, known := were[a.key()]
		if !known || reflect.DeepEqual(was.Want, a.Want) {
			continue
		}
		fmt.Fprintf(out, "~ %s\n    %s\n", a.ID, strings.Join(differences("", was.Want, a.Want), "\n    "))
	}
}

func (a answer) key() string {
	return compactJSON([]any{a.Method, a.Path, a.Body, a.CType, a.Accept})
}

// differences says which fields of two values differ, deepest first; long values are cut.
func differences(at string, was, is any) (all []string) {
	before, wasObject := was.(object)
	after, isObject := is.(object)
	if !wasObject || !isObject {
		if reflect.DeepEqual(was, is) {
			return nil
		}
		return []string{fmt.Sprintf("%s %s -> %s", strings.TrimPrefix(at, "."), cut(was), cut(is))}
	}
	keys := map[string]bool{}
	for _, fields := range []object{before, after} {
		for key := range fields {
			keys[key] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		all = append(all, differences(at+"."+key, before[key], after[key])...)
	}
	return all
}

func cut(value any) string {
	const most = 300
	text := compactJSON(value)
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}
