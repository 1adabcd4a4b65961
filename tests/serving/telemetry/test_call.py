from windlass.serving import LinearModel, LoadedModel
from windlass.serving.telemetry.call import Call

INPUTS = {"x": object()}


def test_the_first_model_that_is_asked_is_the_one_that_answers():
    call = Call(1.0)
    assert call.ask(LoadedModel("m", "3", LinearModel()), INPUTS, now=2.0)
    assert not call.ask(LoadedModel("shadow", "4", LinearModel()), {}, now=3.0)
    assert (call.model, call.version, call.asked) == ("m", "3", 2.0)


def test_a_request_that_is_tried_again_began_the_first_time_and_ended_the_last():
    call = Call(1.0)
    call.execute(2.0, rows=8)
    call.end(3.0)
    call.execute(4.0, rows=1)
    call.end(5.0)
    assert (call.executing, call.rows, call.executed) == (2.0, 8, 5.0)


def test_what_a_request_carries_is_kept_only_where_it_is_wanted():
    for keeps, found in ((False, (None, None)), (True, (INPUTS, INPUTS))):
        call = Call(1.0)
        call.keeps = keeps
        call.ask(LoadedModel("m", "3", LinearModel()), INPUTS, now=2.0)
        call.answer(INPUTS)
        assert (call.inputs, call.outputs) == found
