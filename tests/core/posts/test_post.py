"""A post has media if it has pictures or videos of its own, even ones that the source only mentions."""

import pytest

from forwarder.core.posts.post import Media, Post

PICTURE = Media(image="https://pictures.example/1.jpg")


@pytest.mark.parametrize("media", [PICTURE, Media(is_video=True, video="https://pictures.example/1.mp4"), Media()])
def test_a_post_with_a_picture_or_a_video_has_media_even_without_its_address(media: Media) -> None:
    assert Post(media=(media,)).has_media


def test_the_picture_of_the_post_that_is_quoted_is_not_its_own() -> None:
    assert not Post(original=Post(media=(PICTURE,))).has_media
