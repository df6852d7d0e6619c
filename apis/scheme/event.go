package scheme

import (
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/conversion"
	"k8s.io/apimachinery/pkg/runtime"
)

// addEventConversions translates between the two versions of Event. They are one kind in storage: core/v1's.
func addEventConversions(s *runtime.Scheme) error {
	return addAll(s,
		between(func(in *eventsv1.Event, out *corev1.Event) error { eventToCore(in, out); return nil }),
		between(func(in *corev1.Event, out *eventsv1.Event) error { eventFromCore(in, out); return nil }),
		between(func(in *eventsv1.EventList, out *corev1.EventList) error {
			out.ListMeta, out.Items = in.ListMeta, make([]corev1.Event, len(in.Items))
			for i := range in.Items {
				eventToCore(&in.Items[i], &out.Items[i])
			}
			return nil
		}),
		between(func(in *corev1.EventList, out *eventsv1.EventList) error {
			out.ListMeta, out.Items = in.ListMeta, make([]eventsv1.Event, len(in.Items))
			for i := range in.Items {
				eventFromCore(&in.Items[i], &out.Items[i])
			}
			return nil
		}),
	)
}

func eventToCore(in *eventsv1.Event, out *corev1.Event) {
	*out = corev1.Event{
		ObjectMeta: in.ObjectMeta, EventTime: in.EventTime, Reason: in.Reason, Action: in.Action, Type: in.Type,
		Message: in.Note, InvolvedObject: in.Regarding, Related: in.Related,
		ReportingController: in.ReportingController, ReportingInstance: in.ReportingInstance,
		Source: in.DeprecatedSource, Count: in.DeprecatedCount,
		FirstTimestamp: in.DeprecatedFirstTimestamp, LastTimestamp: in.DeprecatedLastTimestamp,
	}
	if in.Series != nil {
		out.Series = &corev1.EventSeries{Count: in.Series.Count, LastObservedTime: in.Series.LastObservedTime}
	}
}

func eventFromCore(in *corev1.Event, out *eventsv1.Event) {
	*out = eventsv1.Event{
		ObjectMeta: in.ObjectMeta, EventTime: in.EventTime, Reason: in.Reason, Action: in.Action, Type: in.Type,
		Note: in.Message, Regarding: in.InvolvedObject, Related: in.Related,
		ReportingController: in.ReportingController, ReportingInstance: in.ReportingInstance,
		DeprecatedSource: in.Source, DeprecatedCount: in.Count,
		DeprecatedFirstTimestamp: in.FirstTimestamp, DeprecatedLastTimestamp: in.LastTimestamp,
	}
	if in.Series != nil {
		out.Series = &eventsv1.EventSeries{Count: in.Series.Count, LastObservedTime: in.Series.LastObservedTime}
	}
}

// addFunc adds one conversion to a scheme.
type addFunc func(*runtime.Scheme) error

func addAll(s *runtime.Scheme, conversions ...addFunc) error {
	for _, add := range conversions {
		if err := add(s); err != nil {
			return err
		}
	}
	return nil
}

// between is the conversion from In to Out. convert may share what in points to, but not write to it.
func between[In, Out any](convert func(in *In, out *Out) error) addFunc {
	return func(s *runtime.Scheme) error {
		return s.AddConversionFunc((*In)(nil), (*Out)(nil), func(in, out any, _ conversion.Scope) error {
			return convert(in.(*In), out.(*Out))
		})
	}
}
