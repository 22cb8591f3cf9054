"""Paper: what people and regulators hold in their hands. It refuses to fetch anything, to run what stands in the data, and to
make two different documents of the same facts.

``pdf`` and ``html`` print one template with one set of facts, in Russian or English. Facts reach a template as data and are
never part of its source. The same facts, the same bytes: a document can be made again and compared by its digest.
"""

from leadgate.documents.files import write_private
from leadgate.documents.paper import Attachment, Page, html, pdf, words
from leadgate.documents.saying import said_date, said_moment

__all__ = ["Attachment", "Page", "html", "pdf", "said_date", "said_moment", "words", "write_private"]
